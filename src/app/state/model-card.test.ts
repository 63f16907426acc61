import { expect, test } from 'vitest';
import { modelFolder, parseModelCard } from './model-card';

const page = 'https://ringside.example/app/';

test('runs the bundled model unless the address asks for another', () => {
  expect(modelFolder(page, page)).toEqual({
    url: 'https://ringside.example/app/models/toybox/',
    bundled: true,
  });
  expect(modelFolder(`${page}?model=/other/place`, page).url).toBe('https://ringside.example/other/place/');
  expect(modelFolder(`${page}?model=models/mine/`, page).url).toBe(
    'https://ringside.example/app/models/mine/',
  );
});

test('refuses a model of another site', () => {
  expect(() => modelFolder(`${page}?model=https://elsewhere.example/m/`, page)).toThrow('elsewhere.example');
  expect(() => modelFolder(`${page}?model=//elsewhere.example/m/`, page)).toThrow('elsewhere.example');
});

test('completes a card and names a wrong field', () => {
  const card = { name: 'Toy', frameWidth: 112, frameHeight: 112, framesPerSecond: 2 };
  expect(parseModelCard(card)).toMatchObject({ suggestedQuestions: [], demoClip: null });
  expect(() => parseModelCard({ ...card, framesPerSecond: 0 })).toThrow('framesPerSecond');
  expect(parseModelCard({ ...card, trainedPositions: 256 }).trainedPositions).toBe(256);
  expect(() => parseModelCard({ ...card, trainedPositions: 'many' })).toThrow('trainedPositions');
});
