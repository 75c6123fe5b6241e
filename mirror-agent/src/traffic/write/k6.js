// k6 run -e TARGET=http://mirror:8080 this-file
// TARGET is where the requests go; SPEED is how fast their time goes by (2, 0.5, or max); VUS is the number of connections at once;
// CHECKS is the share of the requests that have to have production's status.
import { check, sleep } from "k6";
import { SharedArray } from "k6/data";
import encoding from "k6/encoding";
import exec from "k6/execution";
import http from "k6/http";
import { Trend } from "k6/metrics";

const TARGET = (__ENV.TARGET || "{target}").replace(/\/$/, "");
const SPEED = __ENV.SPEED || "{speed}";
if (!TARGET) {
  throw new Error("no TARGET: add -e TARGET=http://mirror:8080");
}
const times = SPEED === "max" ? Infinity : Number(SPEED);
if (!(times > 0)) {
  throw new Error(`invalid SPEED ${SPEED}: use a number, as in 2 or 0.5, or max`);
}

// The requests of each connection, in their order.
const lanes = new SharedArray("lanes", () => {
  const byConnection = new Map();
  for (const request of requests()) {
    const lane = byConnection.get(request.connection);
    if (lane) {
      lane.push(request);
    } else {
      byConnection.set(request.connection, [request]);
    }
  }
  return [...byConnection.values()];
});

// How long it takes, and how many connections are open at once.
const plan = new SharedArray("plan", () => {
  const edges = [];
  let last = 0;
  for (const lane of lanes) {
    const { at, took } = lane[lane.length - 1];
    last = Math.max(last, at + took);
    edges.push([lane[0].at / times, 1], [at / times + took + 1000, -1]);
  }
  edges.sort((a, b) => a[0] - b[0]);
  let open = 0;
  let most = 1;
  for (const [, step] of edges) {
    open += step;
    most = Math.max(most, open);
  }
  return [{ vus: Math.min(most, lanes.length, 500), seconds: Math.ceil(last / times / 1000) + 600 }];
})[0];

export const options = {
  discardResponseBodies: true,
  scenarios: {
    replay: {
      executor: "shared-iterations",
      vus: Number(__ENV.VUS || plan.vus),
      iterations: lanes.length,
      maxDuration: `${plan.seconds}s`,
    },
  },
  thresholds: { checks: [`rate>=${__ENV.CHECKS || 1}`] },
};

// How much later than its time a request was sent.
const lag = new Trend("send_lag", true);

export default function () {
  for (const request of lanes[exec.scenario.iterationInTest]) {
    const late = Date.now() - exec.scenario.startTime - request.at / times;
    if (late < 0) {
      sleep(-late / 1000);
    }
    lag.add(Math.max(late, 0));
    const body = request.base64 ? encoding.b64decode(request.base64) : request.body || null;
    const answer = http.request(request.method, TARGET + request.target, body, {
      headers: request.headers,
      redirects: 0,
      responseCallback: request.status ? http.expectedStatuses(request.status) : null,
      tags: { name: request.route },
    });
    if (request.status) {
      const isSame = (answer) => answer.status === request.status;
      check(answer, { "status as in production": isSame }, { name: request.route });
    }
  }
}
