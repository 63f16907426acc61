// Puts the page up.
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './App';
import './styles/theme.css';
import './styles/layout.css';
import './styles/watching.css';
import './styles/memory.css';
import './styles/lens.css';
import './styles/conversation.css';
import { AssistantContext, createAssistant } from './state/assistant';

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <AssistantContext value={createAssistant()}>
      <App />
    </AssistantContext>
  </StrictMode>,
);
