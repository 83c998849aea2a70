import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  type Loan,
  openReader,
  openWriter,
  type Reader,
  type Snapshot,
  StoreError,
  type StoreErrorCode,
  type Writer,
  type WriterOptions,
} from '../../src/index.ts';
import { expectFilled, filled } from '../support/place.ts';

/** Random sequences of everything that one process can do, compared with what they do to a few plain objects. */
const RUNS = Number(process.env['VITRINE_RUNS'] ?? 200);

// ---- the model: what a store is, without files, slots and memory -----------------------------------------------

/** A version as one reader has it: what a user writes into his array changes it for this reader alone. */
interface Seen {
  readonly of: Version;
  fill: number;
  /** The value that this reader gave for it first, which it must go on to give. */
  identity: Uint8Array | undefined;
}

interface Version {
  readonly store: number;
  readonly number: number;
  readonly length: number;
  readonly fill: number;
}

interface Model {
  /** Counts the stores that there were at the location; undefined while there is none. */
  store: number | undefined;
  stores: number;
  newest: Version | undefined;
  isWriterOpen: boolean;
  readers: { isOpen: boolean; seen: Seen | undefined; given: Seen | undefined }[];
  held: { seen: Seen; isReleased: boolean }[];
  loans: { length: number; fill: number; isEnded: boolean; isWriterOpen: boolean }[];
}

interface Real {
  readonly location: string;
  readonly options: WriterOptions<Uint8Array>;
  writer: Writer<Uint8Array> | undefined;
  readonly readers: Reader<Uint8Array>[];
  readonly held: Snapshot<Uint8Array>[];
  readonly loans: Loan[];
}

type Command = fc.AsyncCommand<Model, Real>;

const expectCode = (code: StoreErrorCode, run: () => unknown): void => {
  try {
    run();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    expect(error.code).toBe(code);
    return;
  }
  expect.fail(`expected ${code}, and nothing was thrown`);
};

/** What holds after every step, whatever the step was. */
function expectInvariants(model: Model, real: Real): void {
  for (const [index, { seen, isReleased }] of model.held.entries()) {
    if (!isReleased) expectSnapshot(real.held[index]!, seen);
  }
  for (const { given } of model.readers) {
    if (given?.identity !== undefined) expectFilled(given.identity, given.of.length, given.fill);
  }
  for (const [index, { length, fill }] of model.loans.entries()) {
    expectFilled(real.loans[index], length, fill);
  }
  if (model.isWriterOpen) expect(real.writer?.version).toBe(model.newest?.number ?? 0);
}

function expectSnapshot(snapshot: Snapshot<Uint8Array>, { of, fill, identity }: Seen): void {
  expect(snapshot.version).toBe(of.number);
  expect(snapshot.byteLength).toBe(of.length);
  expect(snapshot.value).toBe(identity);
  expectFilled(snapshot.value, of.length, fill);
}

class Step implements Command {
  readonly name: string;
  readonly mayRun: (model: Model) => boolean;
  readonly steps: (model: Model, real: Real) => unknown;

  constructor(name: string, mayRun: (model: Model) => boolean, steps: (model: Model, real: Real) => unknown) {
    this.name = name;
    this.mayRun = mayRun;
    this.steps = steps;
  }

  check(model: Readonly<Model>): boolean {
    return this.mayRun(model as Model);
  }

  async run(model: Model, real: Real): Promise<void> {
    await this.steps(model, real);
    expectInvariants(model, real);
  }

  toString(): string {
    return this.name;
  }
}

// ---- the steps -------------------------------------------------------------------------------------------------

const publishedNow = (model: Model, number: number, length: number, fill: number): void => {
  expect(number).toBe((model.newest?.number ?? 0) + 1);
  model.newest = { store: model.store!, number, length, fill };
};

const endWriter = (model: Model): void => {
  model.isWriterOpen = false;
  for (const loan of model.loans) loan.isWriterOpen = false;
};

/** What a reader is to see now; undefined before the first publish. */
function toBeSeen(model: Model, reader: Model['readers'][number]): Seen | undefined {
  const { newest } = model;
  if (newest === undefined || newest === reader.seen?.of) return reader.seen;
  return { of: newest, fill: newest.fill, identity: undefined };
}

const publish = (length: number, fill: number): Command =>
  new Step(
    `publish(${length}, ${fill})`,
    (model) => model.isWriterOpen,
    (model, real) => {
      const value = filled(length, fill);
      publishedNow(model, real.writer!.publish(value), length, fill);
      value.fill(255);
    },
  );

const open = new Step(
  'open the writer',
  (model) => !model.isWriterOpen,
  (model, real) => {
    real.writer = openWriter<Uint8Array>(real.location, real.options);
    model.isWriterOpen = true;
    if (model.store !== undefined) return;
    model.stores += 1;
    model.store = model.stores;
  },
);

const openTwice = new Step(
  'open a second writer',
  (model) => model.isWriterOpen,
  (_, real) => expectCode('WRITER_EXISTS', () => openWriter(real.location, real.options as object)),
);

const close = new Step(
  'close the writer',
  (model) => model.isWriterOpen,
  (model, real) => {
    real.writer!.close();
    endWriter(model);
    expectCode('CLOSED', () => real.writer!.publish(filled(1, 1)));
  },
);

const destroy = new Step(
  'destroy',
  (model) => model.isWriterOpen,
  (model, real) => {
    real.writer!.destroy();
    endWriter(model);
    model.store = undefined;
    model.newest = undefined;
    expect(readdirSync(join(real.location, '..'))).toEqual([]);
  },
);

const lend = (length: number): Command =>
  new Step(
    `lend(${length})`,
    (model) => model.isWriterOpen && model.loans.length < 20,
    (model, real) => {
      const loan = real.writer!.loan(length);
      loan.fill(1);
      real.loans.push(loan);
      model.loans.push({ length, fill: 1, isEnded: false, isWriterOpen: true });
    },
  );

/** Before or after it was ended: an array that may be written to, and readers that do not see it. */
const fillLoan = (pick: number, fill: number): Command =>
  new Step(
    `fill loan ${pick} with ${fill}`,
    (model) => model.loans.length > 0,
    (model, real) => {
      const index = pick % model.loans.length;
      real.loans[index]!.fill(fill);
      model.loans[index]!.fill = fill;
    },
  );

const endLoan = (pick: number, how: 'commit' | 'abort'): Command =>
  new Step(
    `${how} loan ${pick}`,
    (model) => model.loans.length > 0,
    (model, real) => {
      const index = pick % model.loans.length;
      const loan = model.loans[index]!;
      const end = () => real.loans[index]![how]();
      if (loan.isEnded) expectCode('LOAN_INVALID', end);
      else if (how === 'abort') end();
      else if (loan.isWriterOpen) publishedNow(model, end() as number, loan.length, loan.fill);
      else expectCode('CLOSED', end);
      loan.isEnded = true;
    },
  );

const openAReader = new Step(
  'open a reader',
  (model) => model.readers.length < 6,
  (model, real) => {
    real.readers.push(openReader<Uint8Array>(real.location));
    model.readers.push({ isOpen: true, seen: undefined, given: undefined });
  },
);

const withReader = (
  name: string,
  pick: number,
  steps: (
    model: Model,
    real: Real,
    reader: Model['readers'][number],
    realReader: Reader<Uint8Array>,
  ) => unknown,
): Command =>
  new Step(
    `${name} reader ${pick}`,
    (model) => model.readers.length > 0,
    (model, real) => {
      const index = pick % model.readers.length;
      return steps(model, real, model.readers[index]!, real.readers[index]!);
    },
  );

const current = (pick: number): Command =>
  withReader('current() of', pick, (model, _, reader, realReader) => {
    if (!reader.isOpen) return expectCode('CLOSED', () => realReader.current());
    const seen = toBeSeen(model, reader);
    if (seen === undefined) return expectCode('NOT_PUBLISHED', () => realReader.current());
    const value = realReader.current();
    expectFilled(value, seen.of.length, seen.fill);
    expect(realReader.version).toBe(seen.of.number);
    seen.identity ??= value;
    expect(value).toBe(seen.identity);
    reader.seen = seen;
    reader.given = seen;
    return undefined;
  });

const hold = (pick: number): Command =>
  withReader('snapshot() of', pick, (model, real, reader, realReader) => {
    if (!reader.isOpen) return expectCode('CLOSED', () => realReader.snapshot());
    const seen = toBeSeen(model, reader);
    if (seen === undefined) return expectCode('NOT_PUBLISHED', () => realReader.snapshot());
    const snapshot = realReader.snapshot();
    seen.identity ??= snapshot.value;
    reader.seen = seen;
    real.held.push(snapshot);
    model.held.push({ seen, isReleased: false });
    return expectSnapshot(snapshot, seen);
  });

const closeReader = (pick: number): Command =>
  withReader('close', pick, (_, __, reader, realReader) => {
    realReader.close();
    reader.isOpen = false;
  });

const withHeld = (
  name: string,
  pick: number,
  steps: (held: Model['held'][number], snapshot: Snapshot<Uint8Array>) => void,
): Command =>
  new Step(
    `${name} ${pick}`,
    (model) => model.held.length > 0,
    (model, real) => {
      const index = pick % model.held.length;
      steps(model.held[index]!, real.held[index]!);
    },
  );

const release = (pick: number, detach: boolean): Command =>
  withHeld(`release${detach ? ' and detach' : ''}`, pick, (held, snapshot) => {
    snapshot.release({ detach });
    held.isReleased = true;
    expectCode('SNAPSHOT_RELEASED', () => snapshot.value);
  });

const scribble = (pick: number, fill: number): Command =>
  withHeld(`write ${fill} into held`, pick, (held, snapshot) => {
    if (held.isReleased) return;
    snapshot.value.fill(fill);
    held.seen.fill = fill;
  });

const collect = new Step(
  'collect garbage',
  () => true,
  async () => {
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  },
);

// ---- sequences of them -----------------------------------------------------------------------------------------

const COPY_BYTE_LENGTH = 16 * 1024;
const lengths = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.integer({ min: COPY_BYTE_LENGTH - 1, max: COPY_BYTE_LENGTH + 1 }),
  fc.integer({ min: COPY_BYTE_LENGTH + 1, max: 40_000 }),
  fc.integer({ min: 0, max: 200 * 1024 }),
);
const fills = fc.integer({ min: 0, max: 254 });
const picks = fc.nat(20);

const commands = fc.commands<Model, Real, false>(
  [
    fc.tuple(lengths, fills).map(([length, fill]) => publish(length, fill)),
    fc.tuple(lengths, fills).map(([length, fill]) => publish(length, fill)),
    fc.constantFrom(open),
    fc.constantFrom(open, openTwice, close, destroy),
    fc.constantFrom(openAReader, collect),
    picks.map(current),
    picks.map(current),
    picks.map(hold),
    picks.map(hold),
    picks.map(closeReader),
    fc.tuple(picks, fc.boolean()).map(([pick, detach]) => release(pick, detach)),
    fc.tuple(picks, fc.boolean()).map(([pick, detach]) => release(pick, detach)),
    fc.tuple(picks, fills).map(([pick, fill]) => scribble(pick, fill)),
    lengths.map(lend),
    fc.tuple(picks, fills).map(([pick, fill]) => fillLoan(pick, fill)),
    fc
      .tuple(picks, fc.constantFrom('commit' as const, 'abort' as const))
      .map(([pick, how]) => endLoan(pick, how)),
  ],
  { maxCommands: 80, size: 'max' },
);

it(`behaves like its model in ${RUNS} random sequences`, { timeout: 0 }, async () => {
  const options = fc.record({
    slots: fc.constantFrom(2, 3, 8, 14),
    reuse: fc.boolean(),
    checksum: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(options, commands, async (given, sequence) => {
      const directory = mkdtempSync('/dev/shm/vitrine-model-');
      const real: Real = {
        location: join(directory, 'store'),
        options: { ...given, codec: 'bytes' },
        writer: undefined,
        readers: [],
        held: [],
        loans: [],
      };
      const model: Model = {
        store: undefined,
        stores: 0,
        newest: undefined,
        isWriterOpen: false,
        readers: [],
        held: [],
        loans: [],
      };
      try {
        await fc.asyncModelRun(() => ({ model, real }), sequence);
      } finally {
        real.writer?.close();
        for (const reader of real.readers) reader.close();
        for (const snapshot of real.held) snapshot.release();
        rmSync(directory, { recursive: true });
      }
    }),
    { numRuns: RUNS },
  );
});
