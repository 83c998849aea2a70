import { readFileSync } from 'node:fs';
import { StoreError } from '../errors.ts';
import {
  isRegion,
  isTemporary,
  type Location,
  prepareDirectory,
  removeFiles,
  resolveLocation,
} from './location.ts';
import { calling, flawError, native, type WriterHandle } from './native.ts';
import { Publisher } from './publisher.ts';
import { Slots } from './slots.ts';

/** What a writer asks of a store, with defaults filled in. */
export interface PublisherOptions {
  /** Mode of the files; `undefined`: 0600 for a new store, what it has for an existing one. */
  readonly mode: number | undefined;
  /** How many slots the store may use. */
  readonly slots: number;
  readonly reuse: boolean;
  readonly checksum: boolean;
  readonly codecId: string;
}

const DEFAULT_MODE = 0o600;

/** After a kill the lock is held until the kernel has taken the process apart; that takes milliseconds. */
const EXIT_WAIT_MS = 1000;
const EXIT_POLL_MS = 5;

/**
 * Becomes the writer of a store: creates it if it is missing, takes it over if its writer is gone.
 *
 * @throws {StoreError} `WRITER_EXISTS`, `LOCATION_INVALID`, `PERMISSION`, `FILE_SYSTEM_UNSUPPORTED`, `STATE_INVALID`,
 * `FORMAT_UNSUPPORTED`, `OPTION_CONFLICT`, `NO_SPACE`, `SYSTEM`
 */
export function takeOver(given: string, options: PublisherOptions): Publisher {
  const location = resolveLocation(given);
  prepareDirectory(location);
  const handle = new native.WriterHandle(location.prefix);
  acquireLock(location, handle);
  try {
    // We hold the lock, so whoever made these is gone.
    removeFiles(location, isTemporary);
    openOrCreateState(location, handle, options);
    const active = calling(() => handle.takeOver());
    if (options.mode !== undefined) calling(() => handle.setMode(options.mode!));
    handle.configure(options.codecId, options.checksum);
    const slots = new Slots(handle, options.slots, native.layout.slotLimit, options.reuse, active);
    return new Publisher(location, handle, slots);
  } catch (error) {
    handle.close();
    throw error;
  }
}

function acquireLock(location: Location, handle: WriterHandle): void {
  const deadlineMs = Date.now() + EXIT_WAIT_MS;
  let seenRunning = 0;
  while (!calling(() => handle.lock())) {
    const pid = handle.holderPid();
    seenRunning = isRunning(pid) ? seenRunning + 1 : 0;
    // Seen twice, because between taking a SIGKILL and being on its way out a process looks like any other.
    if (seenRunning > 1 || Date.now() >= deadlineMs) {
      throw new StoreError(
        'WRITER_EXISTS',
        `${location.given} has a writer${pid === 0 ? '' : `, process ${pid}`}: a store has one writer at a time; ` +
          'end that one, or choose another location',
        { path: location.prefix, ...(pid === 0 ? {} : { pid }) },
      );
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, EXIT_POLL_MS);
  }
}

/** Whether the process is there and not about to go. The lock decides; this says whether waiting could help. */
function isRunning(pid: number): boolean {
  if (pid === 0) return false;
  try {
    // `pid (name) state ppid pgrp session tty tpgid flags …`; the name may hold anything.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? [];
    const PF_EXITING = 4;
    if ('ZX'.includes(fields[0] ?? 'X') || (Number(fields[6]) & PF_EXITING) !== 0) return false;
    // Killed, and not yet scheduled to notice.
    const SIGKILL = 1n << 8n;
    const pending = readFileSync(`/proc/${pid}/status`, 'latin1').matchAll(/^(?:SigPnd|ShdPnd):\s*(\w+)$/gm);
    return [...pending].every(([, mask]) => (BigInt(`0x${mask}`) & SIGKILL) === 0n);
  } catch {
    return false;
  }
}

function openOrCreateState(location: Location, handle: WriterHandle, options: PublisherOptions): void {
  const path = `${location.prefix}_state`;
  let state = calling(() => handle.openState());
  if (state.isDestroyed) {
    // Its writer died in destroy(): nothing may be published into it any more. Readers that sleep are woken.
    handle.bury();
    removeFiles(location, (suffix) => suffix === '_state');
    state = { ...state, outcome: 'absent' };
  }
  if (state.outcome === 'absent') {
    // Regions without a state region belong to a store that is no more.
    removeFiles(location, isRegion);
    calling(() => handle.createState(options.mode ?? DEFAULT_MODE, options.reuse));
    state = calling(() => handle.openState());
  }
  if (state.outcome !== 'opened') {
    throw state.outcome === 'absent'
      ? new StoreError('STORE_LOST', `${path} was deleted while it was being created: try again`, { path })
      : flawError(path, state.outcome, state.formatVersion);
  }
  if (state.owner !== process.geteuid?.()) {
    throw new StoreError(
      'PERMISSION',
      `${path} belongs to user ${state.owner}, who could read what you publish: remove it, or choose another location`,
      { path },
    );
  }
  if (state.reuse !== options.reuse) {
    throw new StoreError(
      'OPTION_CONFLICT',
      `${path} was created with \`reuse: ${state.reuse}\`, which holds for its life: open it with that, or ` +
        'destroy() it and create it anew',
      { path, field: 'reuse' },
    );
  }
}
