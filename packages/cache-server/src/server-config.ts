/** What a server is started with. */

export interface ServerLimits {
  /** Bytes of disk for everything. */
  readonly quota: number;
  /** The part of `quota` that the namespaces of untrusted tokens share. */
  readonly untrustedQuota: number;
  /** Bytes of one blob. */
  readonly maxBlob: number;
  /** Bytes of one archive of Nx as it is sent. */
  readonly maxArchive: number;
  /** Bytes of one archive of Nx as it is extracted. */
  readonly maxUnpacked: number;
  /** Connections at once; more are closed. */
  readonly maxConnections: number;
  /** Bytes a second that a client must take or give while the server waits for it. */
  readonly minRate: number;
  /** Seconds for the head of a request, and over which `minRate` is measured. */
  readonly clientSeconds: number;
  /** Seconds after which Nx gets an answer whatever the disk does. */
  readonly answerSeconds: number;
  /** Seconds that requests in flight have at a shutdown. */
  readonly graceSeconds: number;
}

export interface ServerConfig {
  /** Absolute path. */
  readonly folder: string;
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  /** File of tokens; undefined lets everybody on this machine do everything. */
  readonly tokenFile: string | undefined;
  readonly limits: ServerLimits;
}
