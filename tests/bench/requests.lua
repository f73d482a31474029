-- What wrk sends: one request after the other, each HEAD .. id .. TAIL, as its environment says, and at the end one JSON
-- object with what came of it. As little as possible stands in request(): it takes its time from the servers.
--
--   BENCH_HEAD, BENCH_TAIL  the bytes of a request before and behind its id
--   BENCH_IDS               where ids come from: none (all requests are alike), counter:SALT (each another, of one
--                           width), random:FILE (lines of the file), once:FILE (each line once)
--   BENCH_SEED              what chance begins with: another number for other choices
--   BENCH_RATE              requests a second of all threads together, instead of as many as possible; beginnings are
--                           spread as independent callers' are
--   BENCH_SAVE              a file; answers' bodies are appended to it, each thread's to a name of its own
local head, tail = os.getenv("BENCH_HEAD"), os.getenv("BENCH_TAIL") or ""
local kind, argument = (os.getenv("BENCH_IDS") or "none:"):match("^(%a+):(.*)$")
local rate, save = tonumber(os.getenv("BENCH_RATE")), os.getenv("BENCH_SAVE")
local threads = {}

function setup(thread)
  thread:set("number", #threads)
  thread:set("exhausted", false)
  table.insert(threads, thread)
end

local sources = {}

function sources.none()
  local whole = head .. tail
  return function() return whole end
end

function sources.counter()
  local prefix, count = head .. argument .. number, 0
  return function()
    count = count + 1
    return prefix .. string.format("%09d", count) .. tail
  end
end

function sources.random()
  local whole = {}
  for line in io.lines(argument) do table.insert(whole, head .. line .. tail) end
  local random, count = math.random, #whole
  return function() return whole[random(count)] end
end

-- Each of the two threads that wrk always has here takes every second line.
function sources.once()
  local whole, place, index = {}, 0, 0
  for line in io.lines(argument) do
    if place % 2 == number then table.insert(whole, line) end
    place = place + 1
  end
  return function()
    index = index + 1
    if index > #whole then
      exhausted = true
      index = 1
    end
    return head .. whole[index] .. tail
  end
end

-- What a source needs is known in its thread only.
function init()
  request = sources[kind]()
  math.randomseed((tonumber(os.getenv("BENCH_SEED")) or 0) * 2 + number)
  if save then file = assert(io.open(save .. "." .. number, "w")) end
end

if save then
  function response(_, _, body) file:write(body, "\n") end
end

if rate then
  local ffi = require("ffi")
  ffi.cdef("typedef struct { long seconds, nanoseconds; } moment; int clock_gettime(int, moment *);")
  local now, next = ffi.new("moment"), nil
  function delay()
    ffi.C.clock_gettime(1, now)
    local at = tonumber(now.seconds) * 1000 + tonumber(now.nanoseconds) / 1e6
    next = (next or at) - math.log(1 - math.random()) * 2 * 1000 / rate
    -- wrk waits for whole milliseconds.
    return math.max(0, math.floor(next - at + math.random()))
  end
end

function done(summary, latency)
  local ran_out = false
  for _, thread in ipairs(threads) do ran_out = ran_out or thread:get("exhausted") end
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "exhausted": %s, "status": %d, "connect": %d, ' ..
    '"read": %d, "write": %d, "timeout": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), tostring(ran_out),
    errors.status, errors.connect, errors.read, errors.write, errors.timeout))
end
