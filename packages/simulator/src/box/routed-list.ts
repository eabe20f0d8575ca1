import type { Member } from "@siding/shared/command";

/** The members that workers of one generation of nginx's configuration route to. */
export interface RoutedList {
  readonly generation: number;
  readonly revision: number;
  readonly members: readonly Member[];
}
