-- Requests at a constant rate: for the order service, each different from the others, or the same one for any server.
-- Arguments: requests a second, how many in all, what their ids begin with, and `all` routes of the order service, its `orders`
-- only, which carry no id, or `one` route, without ids.

local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanos; } mirror_time;
  int clock_gettime(int clock, mirror_time *time);
  int getpid(void);
  int kill(int process, int signal);
]]

-- Milliseconds of the monotonic clock.
local function now()
  local time = ffi.new("mirror_time")
  ffi.C.clock_gettime(1, time)
  return tonumber(time.seconds) * 1000 + tonumber(time.nanos) / 1e6
end

local rate, total, label, routes
local planned, numbered, start = 0, 0, nil
local same = nil
-- Global, so that done() finds them: of this thread, the only one.
ok, failed, example, took_ms = 0, 0, "", 0

local threads = {}
function setup(thread) table.insert(threads, thread) end

function init(args)
  rate, total, label, routes = tonumber(args[1]), tonumber(args[2]), args[3], args[4]
  if routes == "one" then same = wrk.format("GET", "/products/17") end
end

-- Each request has its moment, whatever became of those before it.
function delay()
  planned = planned + 1
  if planned > total then return 1e7 end
  start = start or now()
  return math.max(0, start + (planned - 1) * 1000 / rate - now())
end

function request()
  if same then return same end
  numbered = numbered + 1
  local n = numbered
  local user, product, quantity = n % 997 + 1, n % 50 + 1, n % 4 + 1
  local headers = {}
  if routes == "orders" then
    -- No two of the same user: their ids are made of that and the second.
    user = n
  else
    headers["x-request-id"] = label .. "-" .. n
  end
  if n % 2 == 0 then headers["accept-encoding"] = "gzip" end
  if routes == "orders" or n % 3 == 0 then
    headers["content-type"] = "application/json"
    local body = string.format('{"userId":%d,"productId":%d,"quantity":%d}', user, product, quantity)
    return wrk.format("POST", "/orders", headers, body)
  elseif n % 3 == 1 then
    return wrk.format("GET", string.format("/products/%d?userId=%d", product, user), headers)
  end
  return wrk.format("GET", string.format("/cart/%d/total?productId=%d&qty=%d", user, product, quantity), headers)
end

function response(status, headers, body)
  if status == 200 then
    ok = ok + 1
  else
    failed = failed + 1
    example = status .. " " .. body:sub(1, 200):gsub('[%c"\\]', " ")
  end
  if ok + failed == total then
    took_ms = now() - start
    -- SIGINT ends wrk before its time, with its results.
    ffi.C.kill(ffi.C.getpid(), 2)
  end
end

-- A line of counts, and one of all latencies in microseconds with how many answers each had.
function done(summary, latency, requests)
  local thread, errors = threads[1], summary.errors
  io.write(string.format(
    '\n{"ok":%d,"failed":%d,"example":"%s","took_ms":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d}\n',
    thread:get("ok"), thread:get("failed"), thread:get("example"), thread:get("took_ms"),
    errors.connect, errors.read, errors.write, errors.timeout))
  local times = {}
  for i = 1, #latency do
    local micros, count = latency(i)
    times[i] = string.format("[%d,%d]", micros, count)
  end
  io.write("[", table.concat(times, ","), "]\n")
end
