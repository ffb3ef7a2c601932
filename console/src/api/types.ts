// The server's types by the names that the pages use.
import type { KeyLimits, KeyUsage } from "./contract";
import type { components } from "./schema";

export type * from "./contract";

type Schemas = components["schemas"];
export type Session = Schemas["CurrentSession"];
export type LoginResult = Schemas["LoginResult"];
export type Schedule = Schemas["Schedule"];
export type Bulk = Schemas["Bulk"];
export type AuditEntry = Schemas["AuditEntry"];
export type CacheSize = NonNullable<Schemas["CacheSizeAnswer"]["data"]>;
export type Model = Schemas["Model"];
export type KeyObject = Schemas["KeyObject"] & KeyLimits & { usage?: KeyUsage | null };
export type KeyTerms = Schemas["KeyTerms"] & KeyLimits;
export type NewKey = { key: string; terms: KeyObject };
export type SessionObject = Schemas["SessionObject"];
export type Readiness = Schemas["Readiness"];
