// The engine's report on its memory, a few times a second.
import { useEffect, useState } from 'react';
import type { EngineClient } from '../../workers/engine-client';
import type { MemoryView } from '../../workers/protocol';

const REFRESH_MS = 300;

/** The newest report of this engine; the last one known while there is no engine. */
export function useMemoryView(client: EngineClient | null): MemoryView | null {
  const [view, setView] = useState<MemoryView | null>(null);
  useEffect(() => {
    if (!client) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let over = false;
    const refresh = async () => {
      // A lost engine has no memory to tell of; its loss is told elsewhere.
      const next = await client.memory().catch(() => null);
      if (over) return;
      if (next) setView(next);
      // The next one is due after this one came, so that a busy worker is not flooded.
      timer = setTimeout(refresh, REFRESH_MS);
    };
    void refresh();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [client]);
  return view;
}
