// The reference itself, against what Pillow 13 gives: `Image.resize(size, BICUBIC)` of one small picture.

import { expect, it } from 'vitest';
import type { RgbFrame } from '../../contract';
import { resizeFrame } from './pillow';

const PILLOW = {
  '7 × 5':
    'V411hoCMVoacXY+ahIKUYXyzVIy1X42Kk5l4a5u7b4iRnmt+gGpnfLhsfYmWaJKiYHulpmuUjW+eeJGSnUdEjmyKjHFqdnGea2qIinp3g0qCpTFyjlqVkoCEq4WkfpSPjWWYq2Zbcnhs',
  '12 × 13':
    'ATZuaJ3WVZDSeK1cTIFrGU6Yj8VQe8PYr1CIf3itaqbbKl+UXpOEX5FsnjyNUpOtUYWrSH29UXyXnjxuX327XYa6aZ/cRXq1hLlTaqI/zZEulGSuSonIfLCcdrStiYWQYamBGmOqZpuFZJmUXpNob7GXp8dUsY5+TozRbaipm3dyoYKRi4Vyayd/YplRg7iWMmyzdHrAYY2picqMWo/GWp+qchxctj17tVpu1U5IXZhaod+ATpGxhixhW2aJZqDgXo+mlLdQOoPDiG+wyIo5k+NCWYRfwdcSseZofLHtreJjRn+2Ynitu0yBlMr/yU2Cbqrfba/kWCNY3gU6dVV0d0F/XaHDIWGWaIa78iNZ6S5jZHu0D1WTbIm/5x9VUCFYaJbch6ZfXnOOaTV4TI3BUkB0akqSsmRgmGQwb1SU9x5TVEJ3vlKOhIp1m1VUyG5XcojDImqua6mEkIR/m5eMSU2J9RhNfmCVqyhcjTuCuXZu45ovnoTNWpyxe7VLhmGKbofHajx7wwtHdn+8RYW6o0N9hrC2t20wnY3WjbaSU3JZwCBimk2DzkRMbi9HVZuvrYS5llmOPo7FnE+JoZrOsYS9n2qjVKrfxGml0NEeb69Nd6w1',
};

const SOURCE: RgbFrame = {
  width: 17,
  height: 11,
  data: Uint8Array.from({ length: 17 * 11 * 3 }, (_, at) => {
    const [x, y, c] = [Math.floor(at / 3) % 17, Math.floor(at / 51), at % 3];
    return x * x * 37 + y * 91 + c * 53 + x * y * 29;
  }),
};

it.each(Object.entries(PILLOW))('resizes 17 × 11 to %s byte for byte', (size, base64) => {
  const [width, height] = size.split(' × ').map(Number);
  expect(resizeFrame(SOURCE, width!, height!).data).toEqual(new Uint8Array(Buffer.from(base64, 'base64')));
});
