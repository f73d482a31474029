-- Requests of spans for wrk: BENCH_HEAD, and an array of 512 spans in traces of eight whose root names the session. Ids are
-- random, so that none was there before. Otherwise as requests.lua, to whose folder BENCH_FOLDER points.
dofile(os.getenv("BENCH_FOLDER") .. "/requests.lua")

local head, seed = os.getenv("BENCH_HEAD"), tonumber(os.getenv("BENCH_SEED")) or 0
local traces, spans = 64, 8
local random, format = math.random, string.format

local function hex16()
  return format("%08x%08x", random(0, 0xffffffff), random(0, 0xffffffff))
end

local function batch()
  local pieces = {}
  for _ = 1, traces do
    local trace, root = hex16() .. hex16(), hex16()
    for position = 1, spans do
      local id = position == 1 and root or hex16()
      local place = position == 1 and '","session_id":"session-' .. trace or '","parent_span_id":"' .. root
      table.insert(pieces, '{"id":"' .. id .. '","trace_id":"' .. trace .. place ..
        '","name":"answer","kind":"llm","status":"ok","attributes":{"model":"a-model","provider":"a-provider"},' ..
        '"started_at":"2026-05-29T20:54:19.746Z","ended_at":"2026-05-29T20:54:20.118Z"}')
    end
  end
  return "[" .. table.concat(pieces, ",") .. "]"
end

function init()
  math.randomseed(seed * 2 + number)
  -- All batches are of one width.
  local begin = head:gsub("Content%-Length: %d+", "Content-Length: " .. #batch())
  request = function() return begin .. batch() end
end
