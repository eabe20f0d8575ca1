import { EdgeDocument, FleetDocument, FleetSummary, HostDocument, listOf } from "@siding/shared/rest";
import { expect, test, vi } from "vitest";
import { EventBody } from "../ledger/event.ts";
import { expectProblem, read, useServedApi } from "./served-api.fixture.ts";

const { call, readyToRoll, report, sendJson, served } = useServedApi();

test("the fleet, its hosts and its edges can be read", async () => {
  await readyToRoll();
  const fleet = await read(FleetDocument, await call("GET", "/v1/fleet"));
  expect(fleet.summary).toMatchObject({ hosts: 3, edges: 1, services: 1, unknown: 3 });
  const host = await read(HostDocument, await call("GET", "/v1/hosts/h1"));
  expect(host).toMatchObject({
    id: "h1",
    address: "127.0.1.1",
    labels: { role: "web" },
    liveness: "unknown",
  });
  const hosts = await read(listOf(HostDocument), await call("GET", "/v1/hosts"));
  expect(hosts.items.map(({ id }) => id)).toEqual(["e1", "h1", "h2"]);
  const edges = await read(listOf(EdgeDocument), await call("GET", "/v1/edges"));
  expect(edges.items).toMatchObject([
    { id: "e1", counted: false, upstreams: [{ upstream: "web", serving: null }] },
  ]);
  await expectProblem(await call("GET", "/v1/hosts/h9"), 404, "unknown-host");
});

test("hosts are filtered, searched and paged, and unchanged ones are not sent again", async () => {
  await readyToRoll();
  for (const hostId of ["h10", "h9"]) report(hostId, "host");
  const ids = async (query: string) => {
    const fleet = await read(FleetDocument, await call("GET", `/v1/fleet?${query}`));
    expect(fleet.summary.hosts).toBe(5);
    return [fleet.hosts.map(({ id }) => id).join(" "), fleet.matching, fleet.next];
  };
  expect(await ids("")).toEqual(["e1 h1 h2 h9 h10", 5, undefined]);
  expect(await ids("label=role%3Dweb&limit=2")).toEqual(["h1 h2", 4, "h2"]);
  expect(await ids("label=role%3Dweb&limit=2&after=h2")).toEqual(["h9 h10", 4, undefined]);
  // h5 is not there, and never was: the walk goes on behind where it would be.
  expect(await ids("after=h5")).toEqual(["h9 h10", 5, undefined]);
  expect(await ids("q=ROLE%3Dedge")).toEqual(["e1", 1, undefined]);
  expect(await ids("liveness=alive")).toEqual(["", 0, undefined]);
  expect(await ids("liveness=unknown&label=role%3Dedge&label=zone%3Da")).toEqual(["", 0, undefined]);
  expect(await ids("service=web&state=serving&version=v1")).toEqual(["", 0, undefined]);
  for (const query of ["limit=0", "limit=x", "liveness=dead", "lable=a%3Db", "label=role", "after=H1"]) {
    const { errors } = await expectProblem(await call("GET", `/v1/hosts?${query}`), 422, "invalid-request");
    expect(errors?.[0]?.path).toContain(query.slice(0, query.indexOf("=")));
  }
  for (const path of ["/v1/fleet", "/v1/hosts?limit=1"]) {
    const first = await call("GET", path);
    const etag = first.headers.get("etag") ?? "";
    const again = await call("GET", path, undefined, { "if-none-match": `"other", W/${etag}` });
    expect([again.status, await again.text()]).toEqual([304, ""]);
    report(`x${path.length}`, "host");
    const changed = await call("GET", path, undefined, { "if-none-match": etag });
    expect(changed.status).toBe(path.includes("limit") ? 304 : 200);
  }
});

test("edges can be asked for in pages and by what they are", async () => {
  await readyToRoll();
  for (const id of ["e10", "e2"]) report(id, "edge");
  const asked = async (query: string) => {
    const { items, next } = await read(listOf(EdgeDocument), await call("GET", `/v1/edges?${query}`));
    return [...items.map(({ id }) => id), ...(next === undefined ? [] : [`next ${next}`])];
  };
  expect(await asked("limit=2")).toEqual(["e1", "e2", "next e2"]);
  expect(await asked("limit=2&after=e2")).toEqual(["e10"]);
  expect(await asked("q=E10")).toEqual(["e10"]);
  expect(await asked("label=role%3Dedge&service=web&liveness=unknown")).toEqual(["e1", "e2", "e10"]);
  expect(await asked("label=role%3Dweb")).toEqual([]);
  expect(await asked("service=api")).toEqual([]);
  expect(await asked("liveness=silent")).toEqual([]);
  await expectProblem(await call("GET", "/v1/edges?version=v1"), 422, "invalid-request");
  const etag = (await call("GET", "/v1/edges")).headers.get("etag") ?? "";
  expect((await call("GET", "/v1/edges", undefined, { "if-none-match": etag })).status).toBe(304);
});

test("a fleet whose ledger is behind goes on by a person's word; said where nothing waits it changes nothing", async () => {
  await readyToRoll();
  const idle = served().ledger.state.sequence;
  const summary = await read(FleetSummary, await call("POST", "/v1/fleet/resume"));
  expect(summary).toMatchObject({ behind: null, summary: { hosts: 3 } });
  expect(served().ledger.state.sequence).toBe(idle);
  const ahead = { type: "fleet-ahead", hostId: "h1", epochSeen: 7, revisionSeen: 900, epoch: 8 };
  expect(served().ledger.commit(idle, [EventBody.parse(ahead)], "h1").ok).toBe(true);
  const waits = await read(FleetDocument, await call("GET", "/v1/fleet"));
  expect(waits.behind).toContain("POST /v1/fleet/resume");
  expect(await (await call("GET", "/metrics")).text()).toContain("siding_ledger_behind 1");
  await expectProblem(await sendJson("POST", "/v1/fleet/resume", { coment: "x" }), 422, "invalid-request");
  await expectProblem(await sendJson("PUT", "/v1/fleet/resume", {}), 405, "method-not-allowed");
  expect(served().ledger.state.behind).not.toBeNull();
  const said = { comment: "compared with the change log" };
  const gone = await read(FleetSummary, await sendJson("POST", "/v1/fleet/resume", said));
  expect(gone.behind).toBeNull();
  const log = served().ledger.events({ after: 901, limit: 1 });
  expect(log).toMatchObject({ value: [{ by: "admin", body: { type: "fleet-resumed", ...said } }] });
});

/** Reads a stream of events until `isEnough`. */
async function streamed(answer: Response, isEnough: (text: string) => boolean): Promise<string> {
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (reader && !isEnough(text)) {
    const { value } = (await reader.read()) as { value?: string };
    text += value ?? "";
  }
  await reader?.cancel();
  return text;
}

test("the fleet's stream says everything once, then what changes, and is forgotten when it is left", async () => {
  await readyToRoll();
  const answer = await call("GET", "/v1/fleet/events");
  expect(answer.headers.get("content-type")).toBe("text/event-stream");
  let isTold = false;
  const text = await streamed(answer, (so) => {
    if (so.includes("event: complete") && !isTold) {
      isTold = true;
      report("h3", "host");
    }
    return so.includes('"id":"h3"');
  });
  const events = [...text.matchAll(/^event: (.*)$/gm)].map(([, name]) => name);
  const complete = events.indexOf("complete");
  expect(events.slice(0, complete)).toEqual(["hello", "fleet", "services", "edges", "hosts"]);
  expect(events.slice(complete + 1)).toEqual(["fleet", "services", "hosts"]);
  expect(text.match(/"id":"h1"/g)).toHaveLength(1);
  await vi.waitFor(() => expect(served().openStreams.size).toBe(0));
  await expectProblem(await fetch(`${served().server.url}/v1/fleet/events`), 401, "unauthorized");
});
