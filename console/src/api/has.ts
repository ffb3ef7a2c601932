import { offered } from "./offered";

/** Whether the gateway of this console offers an operation (`GET /api/jobs`) or a member (`KeyTerms.note`). */
export const has = (name: string) => offered.has(name);
