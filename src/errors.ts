/**
 * Every way in which a store can refuse or fail. The union is closed: a `switch` over it can be exhaustive.
 * Codes are API and stay; messages are for people and may change. docs/errors.md has a heading for each.
 */
export type StoreErrorCode =
  | 'BYTES_INVALID'
  | 'CLOSED'
  | 'CODEC_UNKNOWN'
  | 'CONTENDED'
  | 'FILE_SYSTEM_UNSUPPORTED'
  | 'FORMAT_UNSUPPORTED'
  | 'LOAN_INVALID'
  | 'LOCATION_INVALID'
  | 'NOT_PUBLISHED'
  | 'NO_SPACE'
  | 'OPTION_CONFLICT'
  | 'OPTION_INVALID'
  | 'PERMISSION'
  | 'PLATFORM_UNSUPPORTED'
  | 'REGION_INVALID'
  | 'SNAPSHOT_RELEASED'
  | 'STATE_INVALID'
  | 'STORE_LOST'
  | 'SYSTEM'
  | 'VALUE_TOO_LARGE'
  | 'VALUE_UNSUPPORTED'
  | 'WRITER_EXISTS';

/** What an error knows beside its code; a field is there when it applies. */
export interface StoreErrorDetails {
  /** The error below this one. */
  readonly cause?: unknown;
  /** The file or the location concerned. */
  readonly path?: string;
  /** The option, argument, header field or value path (`$.routes[3].handler`) concerned. */
  readonly field?: string;
  /** The process concerned: the holder of the writer's lock for `WRITER_EXISTS`. */
  readonly pid?: number;
  /** `NO_SPACE`, `VALUE_TOO_LARGE`: how many bytes were asked for. */
  readonly askedByteLength?: number;
  /** `NO_SPACE`: how many bytes the file system still has; `VALUE_TOO_LARGE`: the most that is allowed. */
  readonly availableByteLength?: number;
  /** `NO_SPACE`: how many bytes the regions of this store hold. */
  readonly heldByteLength?: number;
  /** The system call and the error name (`EACCES`) behind it. */
  readonly syscall?: string;
  readonly errno?: string;
}

/** The one error class of vitrine. Switch on `code`; `message` says what to do. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  declare readonly path?: string;
  declare readonly field?: string;
  declare readonly pid?: number;
  declare readonly askedByteLength?: number;
  declare readonly availableByteLength?: number;
  declare readonly heldByteLength?: number;
  declare readonly syscall?: string;
  declare readonly errno?: string;

  constructor(code: StoreErrorCode, message: string, details: StoreErrorDetails = {}) {
    const { cause, ...fields } = details;
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    Object.assign(this, fields);
  }
}
