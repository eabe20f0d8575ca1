import type { Member } from "@siding/shared/command";
import type { ServiceName } from "@siding/shared/ids";

/** The members that workers of one generation of nginx's configuration route to. */
export interface RoutedList {
  readonly service: ServiceName;
  readonly generation: number;
  readonly revision: number;
  readonly members: readonly Member[];
}
