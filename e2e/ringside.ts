// The page as its tests handle it: by roles and labels, waiting for what a user would wait for.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, type Locator, type Page } from '@playwright/test';

/** Software GPUs on shared cores take their time; a step that takes longer than this hangs. */
const PATIENCE_MS = 120_000;

export type Source = 'Camera' | 'Video file' | 'Screen' | 'Demo';

/** Ringside in a browser. */
export class Ringside {
  readonly page: Page;
  readonly questionBox: Locator;
  readonly askButton: Locator;
  readonly stopButton: Locator;
  readonly conversation: Locator;
  readonly memory: Locator;

  constructor(page: Page) {
    this.page = page;
    this.questionBox = page.getByRole('textbox', { name: 'Ask about what you see' });
    this.askButton = page.getByRole('button', { name: 'Ask', exact: true });
    this.stopButton = page.getByRole('button', { name: 'Stop', exact: true });
    this.conversation = page.getByRole('log', { name: 'Conversation' });
    this.memory = page.getByRole('region', { name: 'Memory' });
  }

  /** Opens the page and waits until the model is loaded. */
  async open(address = '/'): Promise<void> {
    await this.page.goto(address);
    await this.ready();
  }

  async ready(): Promise<void> {
    await expect(this.page.getByText('Toybox ready')).toBeVisible({ timeout: PATIENCE_MS });
  }

  async watch(source: Exclude<Source, 'Video file'>): Promise<void> {
    await this.page.getByRole('button', { name: source }).click();
  }

  /** Picks a file as the file dialogue would. */
  async pickFile(path: string): Promise<void> {
    const dialogue = this.page.waitForEvent('filechooser');
    await this.page.getByRole('button', { name: 'Video file' }).click();
    await (await dialogue).setFiles(path);
  }

  /** Drops a file onto the page. */
  async dropFile(path: string, type: string): Promise<void> {
    const base64 = readFileSync(path).toString('base64');
    const name = path.slice(path.lastIndexOf('/') + 1);
    const dataTransfer = await this.page.evaluateHandle(
      (file) => {
        const bytes = Uint8Array.from(atob(file.base64), (char) => char.charCodeAt(0));
        const transfer = new DataTransfer();
        transfer.items.add(new File([bytes], file.name, { type: file.type }));
        return transfer;
      },
      { base64, name, type },
    );
    for (const event of ['dragover', 'drop']) {
      await this.page.dispatchEvent('body', event, { dataTransfer });
    }
  }

  async seenToTheEnd(timeout = PATIENCE_MS): Promise<void> {
    await expect(this.page.getByText('seen to the end ·')).toBeVisible({ timeout });
  }

  /** Types a question and asks it. @returns its place in the conversation, with what becomes of it. */
  async put(question: string): Promise<Turn> {
    const turn = new Turn(this.conversation.locator('.turn').nth(await this.turns()));
    await this.questionBox.fill(question);
    await this.askButton.click();
    await expect(turn.locator).toContainText(question);
    return turn;
  }

  /** Asks a question and waits for its answer. */
  async ask(question: string): Promise<string> {
    const turn = await this.put(question);
    await turn.answered();
    return turn.answer();
  }

  /** Questions in the conversation so far. */
  turns(): Promise<number> {
    return this.conversation.locator('.turn').count();
  }

  /** Empties memory and conversation, then waits until something was seen again. */
  async forget(): Promise<void> {
    await this.memory.getByRole('button', { name: 'Forget all' }).click();
    await expect.poll(() => this.figure('Prunes'), { timeout: PATIENCE_MS }).toBe(0);
    await expect.poll(() => this.figure('Frames seen'), { timeout: PATIENCE_MS }).toBeLessThan(8);
  }

  /** Chooses how much memory may hold. */
  async chooseBudget(label: string): Promise<void> {
    await this.memory.getByRole('button', { name: 'More about memory' }).click();
    await this.memory.getByLabel('Budget').selectOption({ label });
    await this.memory.getByRole('button', { name: 'Less about memory' }).click();
  }

  /** A number of the memory panel; bytes exactly. */
  async figure(label: string): Promise<number> {
    // Folded away or not.
    const value = this.memory.locator('.figure', { hasText: label }).locator('dd');
    const exact = value.locator('data');
    const text = (await exact.count()) > 0 ? await exact.getAttribute('value') : await value.textContent();
    return Number(text!.replaceAll(',', ''));
  }

  /** A problem's message, once it is shown. */
  async problem(title: string): Promise<Locator> {
    const alert = this.page.getByRole('alert').filter({ hasText: title });
    await expect(alert).toBeVisible({ timeout: PATIENCE_MS });
    return alert;
  }
}

/** A question in the conversation and its answer. */
export class Turn {
  readonly locator: Locator;

  constructor(locator: Locator) {
    this.locator = locator;
  }

  /** Waits for the whole answer. */
  async answered(timeout = PATIENCE_MS): Promise<void> {
    await expect(this.locator).toHaveClass(/turn-(done|stopped|failed)/, { timeout });
    await expect(this.locator).toHaveClass(/turn-done/);
  }

  async answer(): Promise<string> {
    return (await this.locator.locator('.answer-text').textContent()) ?? '';
  }
}

/** A question and the answers that are right. */
export interface ClipQuestion {
  readonly type: string;
  readonly question: string;
  readonly accepted: readonly string[];
}

const CLIPS = join(import.meta.dirname, 'fixtures/clips');

/** Path of a clip made for these tests. */
export function clip(name: string): string {
  return join(CLIPS, name);
}

/** The questions of such a clip. */
export function questionsAbout(name: 'scene' | 'stream'): readonly ClipQuestion[] {
  return JSON.parse(readFileSync(join(CLIPS, `${name}.json`), 'utf8')).questions;
}

/** The questions not answered rightly, each with its answer. */
export function wrong(questions: readonly ClipQuestion[], answers: readonly string[]): string[] {
  return questions.flatMap(({ question, accepted }, i) =>
    accepted.includes(answers[i]!) ? [] : [`${question} ${answers[i]}`],
  );
}
