// The page: header, problems, what is watched and remembered on one side, the conversation on the other.
import { useCallback, useRef } from 'react';
import { AskBox } from './components/AskBox';
import { Conversation } from './components/Conversation';
import { Header } from './components/Header';
import { LiveView } from './components/LiveView';
import { MemoryPanel } from './components/MemoryPanel';
import { ProblemList } from './components/ProblemList';
import { SourceBar } from './components/SourceBar';
import { UpdatePrompt } from './components/UpdatePrompt';
import { useAssistant } from './state/assistant';
import { useFileDrop } from './use-file-drop';

export function App() {
  const { watching } = useAssistant();
  const filePicker = useRef<HTMLInputElement>(null);
  const chooseFile = useCallback(() => filePicker.current?.click(), []);
  const watchFile = useCallback((file: File) => void watching.start({ kind: 'file', file }), [watching]);
  const dragging = useFileDrop(watchFile);

  return (
    <div className="app">
      <Header />
      <main className="main">
        <ProblemList onChooseFile={chooseFile} />
        <div className="seats">
          <section className="watch" aria-label="Watching">
            <SourceBar onChooseFile={chooseFile} />
            <LiveView />
          </section>
          <MemoryPanel />
          <section className="talk" aria-label="Questions and answers">
            <Conversation />
            <AskBox />
          </section>
        </div>
      </main>
      <UpdatePrompt />
      <input
        ref={filePicker}
        hidden
        type="file"
        accept="video/*,.mkv,.mov,.ts"
        aria-label="Video file to watch"
        onChange={(event) => {
          const file = event.target.files?.[0];
          // Cleared, so that choosing the same file again counts as a choice.
          event.target.value = '';
          if (file) watchFile(file);
        }}
      />
      {dragging && (
        <div className="drop-target" aria-hidden="true">
          <p>Drop the video to watch it</p>
        </div>
      )}
    </div>
  );
}
