import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { StoreError } from '../errors.ts';

/** What came of an attempt to adopt; the numbers of `Adopt` in native/handshake.hpp. */
export const Adopt = {
  adopted: 0,
  nothing: 1,
  destroyed: 2,
  regionInvalid: 3,
  stateInvalid: 4,
  contended: 5,
} as const;

/** Where `adopt()` leaves its results in the Float64Array of a handle; see native/reader_handle.cc. */
export const Result = {
  publishNumber: 0,
  publishedAtMs: 1,
  payloadByteLength: 2,
  sequence: 3,
  codecCount: 4,
  keptCount: 5,
  isMapped: 6,
  slot: 7,
  count: 8,
} as const;

/** Why a file is not a state region that this program can use. */
export type StateFlaw = 'byteLength' | 'magic' | 'byteOrder' | 'formatVersion' | 'version';

/** native/reader_handle.cc */
export interface ReaderHandle {
  attach(): 'attached' | 'absent' | 'needsWrite' | StateFlaw;
  sequence(): ArrayBuffer;
  isInPlace(): boolean;
  adopt(): number;
  codecId(): string;
  isSound(copied?: ArrayBuffer): boolean;
  copyOut(target: ArrayBuffer): boolean;
  letGo(): void;
  hold(): number;
  buffer(heldId: number): ArrayBuffer;
  handOut(heldId: number): ArrayBuffer | undefined;
  release(heldId: number, handedOut?: ArrayBuffer): void;
  close(): void;
}

/** native/writer_handle.cc. A place is a slot, or the id of a region that has no name yet. */
export interface WriterHandle {
  lock(): boolean;
  holderPid(): number;
  createState(mode: number, reuse: boolean): void;
  openState(): {
    outcome: 'opened' | 'absent' | StateFlaw;
    formatVersion: number;
    reuse: boolean;
    owner: number;
    isDestroyed: boolean;
  };
  takeOver(): number;
  version(): number;
  setMode(mode: number): void;
  configure(codecId: string, hashPayload: boolean): void;
  capacity(place: number): number;
  isFree(slot: number): boolean;
  claim(slot: number): boolean;
  createRegion(byteLength: number): number;
  growRegion(place: number, byteLength: number): void;
  discard(place: number): void;
  buffer(place: number): ArrayBuffer;
  loan(place: number, byteLength: number): ArrayBuffer;
  endLoan(place: number): void;
  commit(place: number, slot: number, byteLength: number): number;
  drop(slot: number): void;
  isLost(): boolean;
  isRegionLost(slot: number): boolean;
  heldByteLength(): number;
  availableByteLength(): number;
  bury(): void;
  close(): void;
}

interface Native {
  readonly layout: {
    readonly formatVersion: number;
    readonly slotLimit: number;
    readonly payloadByteLimit: number;
    readonly headerByteLength: number;
  };
  fileSystemOf(path: string): number;
  readonly ReaderHandle: new (prefix: string, results: Float64Array) => ReaderHandle;
  readonly WriterHandle: new (prefix: string) => WriterHandle;
}

function load(): Native {
  const require = createRequire(import.meta.url);
  try {
    const findAddon = require('node-gyp-build') as (packageFolder: string) => Native;
    // From src/synchronizer and from dist/synchronizer alike.
    return findAddon(dirname(dirname(import.meta.dirname)));
  } catch (cause) {
    throw new StoreError(
      'PLATFORM_UNSUPPORTED',
      `the native addon cannot be loaded on ${process.platform} ${process.arch} with Node ${process.versions.node}; ` +
        'vitrine runs on Linux; there, run `npm rebuild vitrine` with a C++20 compiler installed',
      { cause },
    );
  }
}

export const native: Native = load();

/** A failed system call as the addon throws it, or as node:fs does, which has the error's name in `code`. */
interface Fault extends Error {
  readonly syscall: string;
  readonly errno: string | number;
  readonly code?: string;
  readonly path: string;
}

function isFault(error: unknown): error is Fault {
  return error instanceof Error && 'syscall' in error && 'errno' in error;
}

/** Runs native code, or node:fs, and makes a {@link StoreError} of a failed system call. */
export function calling<R>(run: () => R): R {
  try {
    return run();
  } catch (error) {
    throw isFault(error) ? storeErrorOf(error) : error;
  }
}

function storeErrorOf(fault: Fault): StoreError {
  const { path, syscall } = fault;
  const errno = fault.code ?? String(fault.errno);
  const details = { cause: fault, path, syscall, errno };
  switch (errno) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new StoreError(
        'PERMISSION',
        `no permission to ${syscall} ${path} (${errno}): check owner and mode of the file and of its directory`,
        details,
      );
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return new StoreError(
        'NO_SPACE',
        `no space for ${path} (${errno}): free space there, or move the store`,
        details,
      );
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ENAMETOOLONG':
      return new StoreError(
        'LOCATION_INVALID',
        `${path} cannot be reached (${errno}): its directory must exist, and the path be short enough`,
        details,
      );
    case 'EISDIR':
    case 'EINVAL':
    case 'ELOOP':
    case 'ENXIO':
      return new StoreError(
        'STATE_INVALID',
        `${path} is not a regular file (${errno}): remove what is there, or choose another location`,
        details,
      );
    default:
      return new StoreError('SYSTEM', `${syscall} of ${path} failed: ${fault.message}`, details);
  }
}

/** The error for a file at `path` that is there and is not a state region that this program can use. */
export function flawError(path: string, flaw: StateFlaw, formatVersion: number): StoreError {
  if (flaw === 'formatVersion') {
    return new StoreError(
      'FORMAT_UNSUPPORTED',
      `${path} has format version ${formatVersion}; this vitrine reads version ${native.layout.formatVersion}: ` +
        'use one version of vitrine for all processes, or another location',
      { path, field: flaw },
    );
  }
  return new StoreError(
    'STATE_INVALID',
    `${path} is not a state region, or a damaged one (its ${flaw} is wrong); it is left as it is: remove it if nobody ` +
      'needs it, or choose another location',
    { path, field: flaw },
  );
}
