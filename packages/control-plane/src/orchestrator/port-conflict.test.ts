import { SpecInput } from "@siding/shared/spec";
import { describe, expect, it } from "vitest";
import { type Scene, scene } from "../scene/scene.ts";
import { declareService } from "./declare.ts";

const tier = (host: number) => ({ role: "web", tier: host <= 2 ? "front" : "back" });

/** What comes of declaring another service beside the scene's own. */
function declared(stage: Scene, change: object) {
  const written = {
    name: "api",
    hosts: { match: { role: "web" } },
    run: { command: ["./api"] },
    health: { tcp: true },
    edge: { match: { role: "edge" } },
    ...change,
  };
  const result = declareService(stage.state, written, SpecInput.parse(written));
  return result.ok ? null : result.error;
}

describe("a port that two services would have on one host", () => {
  it("is refused with both, their slots and the hosts", () => {
    const stage = scene();
    expect(declared(stage, { ports: { blue: 9000, green: 8080 } })).toEqual({
      code: "port-conflict",
      message:
        "port 8080 (green) is also port blue of service web on h1, h2, h3, h4; give one of them another port",
      errors: [{ path: "ports.green", message: expect.stringContaining("8080") as unknown }],
    });
    expect(declared(stage, { port: 8081 })).toMatchObject({ errors: [{ path: "port" }] });
    expect(declared(stage, { port: 9000 })).toBeNull();
  });

  it("counts where hosts match both, whatever the matches look like", () => {
    const stage = scene({ labels: tier });
    const message = (match: object) => declared(stage, { port: 8080, hosts: { match } })?.message;
    expect(message({ tier: "front" })).toContain("on h1, h2;");
    expect(message({ role: "web", tier: "back" })).toContain("on h3, h4;");
    expect(message({ role: "web", tier: "none" })).toContain("on every host that matches both");
    expect(message({ role: "db" })).toBeUndefined();
  });

  it("is held by what still serves on it, also when the spec has another one by now", () => {
    const stage = scene();
    stage.declare({ ports: { blue: 8090, green: 8091 } });
    expect(declared(stage, { port: 8090 })?.message).toContain("on h1, h2, h3, h4;");
    expect(declared(stage, { port: 8080 })?.message).toContain("until a rollout brings its hosts");
    stage.admit({ version: "v2" });
    stage.settle();
    expect(declared(stage, { port: 8080 })).toBeNull();
  });
});
