// For users who have k6 (https://k6.io): a fixed rate against any proxy, with the same checks as our own harness.
//
//   k6 run -e URL=http://localhost:8080/ -e HOST=site.example -e RATE=1000 -e SECONDS=30 benchmarks/k6.js
//
// k6 is heavier than wrk: give it cores of its own, and read the proxy's CPU from elsewhere (ingressd: /metrics).

import http from "k6/http";
import { check } from "k6";

const url = __ENV.URL || "http://localhost:8080/";
const rate = Number(__ENV.RATE || 1000);

export const options = {
  scenarios: {
    steady: {
      executor: "constant-arrival-rate", // open loop: a stall of the proxy is charged to all who had to wait
      rate,
      timeUnit: "1s",
      duration: `${__ENV.SECONDS || 30}s`,
      preAllocatedVUs: Math.max(4, Math.ceil(rate / 50)),
      maxVUs: Math.max(64, rate),
    },
  },
  insecureSkipTLSVerify: true,
  discardResponseBodies: true,
  summaryTrendStats: ["med", "p(99)", "p(99.9)", "max"],
  thresholds: {
    checks: ["rate==1"],
    http_req_failed: ["rate==0"],
    dropped_iterations: ["count==0"], // else k6 did not keep the rate, and the figures are of k6
  },
};

const headers = {
  "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
  Accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  "Accept-Encoding": "gzip, deflate, br, zstd",
  "Accept-Language": "en-GB,en;q=0.9",
};
if (__ENV.HOST) headers.Host = __ENV.HOST;

export default function () {
  const cookie = { Cookie: `session=${__VU}-${__ITER}` }; // differs every time: no proxy may remember it
  const answer = http.get(url, { headers: Object.assign({}, headers, cookie) });
  check(answer, { "status is 200": (one) => one.status === 200 });
}
