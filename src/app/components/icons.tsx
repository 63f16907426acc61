// The page's icons, drawn on a 24-unit grid in the colour of their text. All are decoration beside words.
import type { ReactNode } from 'react';

function Icon({ children }: { children: ReactNode }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true">
      {children}
    </svg>
  );
}

export const CameraIcon = () => (
  <Icon>
    <rect x="2.5" y="6" width="13" height="12" rx="2.5" />
    <path d="m15.5 10.5 6-3.5v10l-6-3.5" />
  </Icon>
);

export const FileIcon = () => (
  <Icon>
    <rect x="3" y="4" width="18" height="16" rx="2.5" />
    <path d="M7.5 4v16M16.5 4v16M3 9.3h4.5M3 14.7h4.5M16.5 9.3H21M16.5 14.7H21" />
  </Icon>
);

export const ScreenIcon = () => (
  <Icon>
    <rect x="2.5" y="4" width="19" height="13" rx="2" />
    <path d="M8 21h8M12 17v4" />
  </Icon>
);

export const DemoIcon = () => (
  <Icon>
    <circle cx="12" cy="12" r="9.5" />
    <path d="m10 8.2 6 3.8-6 3.8z" />
  </Icon>
);

export const AskIcon = () => (
  <Icon>
    <path d="M12 20V5M5.5 11.5 12 5l6.5 6.5" />
  </Icon>
);

export const StopIcon = () => (
  <Icon>
    <rect x="6" y="6" width="12" height="12" rx="2" />
  </Icon>
);

export const LockIcon = () => (
  <Icon>
    <rect x="5" y="10.5" width="14" height="10" rx="2.5" />
    <path d="M8 10.5V7.5a4 4 0 0 1 8 0v3" />
  </Icon>
);

export const WarningIcon = () => (
  <Icon>
    <path d="M12 3.5 22 20.5H2z" />
    <path d="M12 10v5M12 17.6v.1" />
  </Icon>
);

export const NoticeIcon = () => (
  <Icon>
    <circle cx="12" cy="12" r="9.5" />
    <path d="M12 11v6M12 7.4v.1" />
  </Icon>
);

export const ChevronIcon = () => (
  <Icon>
    <path d="m6 9 6 6 6-6" />
  </Icon>
);

/** The mark: a ring of slots, filling clockwise, around the eye that watches. */
export function RingsideMark() {
  const slots = Array.from({ length: 12 }, (_, i) => i);
  return (
    <svg className="mark" viewBox="0 0 48 48" aria-hidden="true">
      {slots.map((slot) => (
        <path
          key={slot}
          className={slot < 9 ? 'mark-filled' : 'mark-free'}
          d="M21.6 4.6 A19.5 19.5 0 0 1 26.4 4.6"
          transform={`rotate(${slot * 30 + 15} 24 24)`}
        />
      ))}
      <circle className="mark-eye" cx="24" cy="24" r="7.5" />
    </svg>
  );
}
