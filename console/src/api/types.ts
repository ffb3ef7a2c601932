// The server's types by the names that the pages use.
import type { Capacity, KeyLimits, KeyUsage, QueueControl, Waterfall } from "./contract";
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
export type Budget = Schemas["Budget"];
export type Account = Schemas["Account"];
export type AccountSummary = Schemas["AccountSummary"] & {
	capacity?: Capacity[];
	waiting?: number;
	tags?: { tag: string; count: number }[];
};
export type AccountTest = Schemas["AccountTest"];
export type AccountFilter = Schemas["AccountFilter"];
export type AccountChoice = Schemas["AccountChoice"];
export type RequestRow = Schemas["RequestRow"] & { waterfall?: Waterfall | null };
export type Series = Schemas["Series"];
export type StatsOverview = Schemas["Overview"];
export type Totals = Schemas["Totals"];
export type SeedSettings = Schemas["SeedSettings"];
export type Generation = Schemas["Generation"];
export type JobRow = Schemas["OwnJob"];
export type JobDetail = Schemas["OwnJobDetail"];
/** Members beyond those of the document are shown where the gateway has the operations that go with them. */
export type Queue = Schemas["Queue"] & Partial<QueueControl>;
export type Worker = Schemas["Worker"];
