// The four things that can be watched.
import type { ReactNode } from 'react';
import { useAssistant } from '../state/assistant';
import { useStore } from '../state/store';
import { CameraIcon, DemoIcon, FileIcon, ScreenIcon } from './icons';

/** Buttons for the sources. `onChooseFile` opens the page's file picker. */
export function SourceBar({ onChooseFile }: { onChooseFile: () => void }) {
  const { watching } = useAssistant();
  const { request, opening, phase } = useStore(watching);
  const chosen = opening?.kind ?? (phase === 'idle' ? null : request?.kind);
  const isPhone = matchMedia('(pointer: coarse)').matches;

  const source = (kind: string, label: string, icon: ReactNode, onClick: () => void) => (
    <button type="button" className="source" aria-pressed={chosen === kind} onClick={onClick}>
      {icon}
      {label}
    </button>
  );

  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for form fields, these are commands
    <div className="sources" role="group" aria-label="What to watch">
      {source('camera', 'Camera', <CameraIcon />, () => {
        // On a phone people point the camera at things; on a desktop there is only the one facing them.
        void watching.start({ kind: 'camera', facing: isPhone ? 'back' : 'front' });
      })}
      {source('file', 'Video file', <FileIcon />, onChooseFile)}
      {source('screen', 'Screen', <ScreenIcon />, () => void watching.start({ kind: 'screen' }))}
      {source('demo', 'Demo', <DemoIcon />, () => void watching.start({ kind: 'demo' }))}
    </div>
  );
}
