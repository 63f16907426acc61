// Runs in `hub.html`, a frame that is there only while a model of the hub is loaded. Page and engine may talk to
// their own site only; this frame to the hub only (its content policy says so), and for what a load needs only
// (`hub-service.ts`). `hub-link.ts` is the other end.
import type { FrameRequest } from './hub-link';
import { serve } from './hub-service';

addEventListener('message', ({ source, origin, ports: [port] }) => {
  if (source !== parent || origin !== location.origin || !port) return;
  port.onmessage = ({ data, ports: [answer] }: MessageEvent<FrameRequest>) => void serve(data, answer!);
  port.postMessage('ready');
});
