// Offers a newer version of the page, out of the way: a reload ends the conversation, so the user decides when.
import { useAssistant } from '../state/assistant';
import { useStore } from '../state/store';

export function UpdatePrompt() {
  const { offline } = useAssistant();
  const { updateWaiting } = useStore(offline);
  return (
    <div className="update" role="status">
      {updateWaiting && (
        <>
          <p>A new version of Ringside is here. Updating empties this conversation.</p>
          <button type="button" className="button" onClick={() => void offline.update()}>
            Update now
          </button>
          <button type="button" className="button button-quiet" onClick={() => offline.later()}>
            Later
          </button>
        </>
      )}
    </div>
  );
}
