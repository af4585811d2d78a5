-- One decision on one attempt for all of its limits at once, or the correction of an earlier one.
--
-- Limits that are always charged together are a panel, and a panel is a key. A panel of windows is
-- a list of rows, one for each instant: (microseconds, a running total for each limit); the first
-- row has left the window and holds what the totals were then. A panel of buckets is one row:
-- (microseconds, a level in parts for each limit). Numbers are whole and below 2^53, so exact.
--
-- KEYS: the epoch, then a key for each panel.
-- ARGV: verb; epoch; the instant in microseconds, or "" for the store's own; when the attempt was
-- charged, for a settlement; then, as floats of eight bytes, what is fixed and, for each limit,
-- what an attempt costs or its correction, and what its refusal costs.
-- Fixed is, for each panel, its size, its window or 0 for buckets, and 1 if charges are corrected;
-- then, for each of its limits, capacity, parts of a unit, parts gained in a microsecond, floor.
-- Returns {admitted, instant}, and for each limit what is left now and the microseconds until it
-- is full; where it refuses also what was left on arrival, and the microseconds until the cost fits
-- (-1: never). {-1} if the epoch of the store is another, whose charges nobody knows.

-- Totals run for ever and stay exact: they are kept modulo this, far above what a window holds.
local ROUND = 2 ^ 52
local MOST = 2 ^ 50

local call, pack, unpacked, floor = redis.call, struct.pack, struct.unpack, math.floor
local min, max, rep = math.min, math.max, string.rep
local verb = ARGV[1]
local fixed = { unpacked('<' .. rep('d', #ARGV[5] / 8), ARGV[5]) }
local amounts = { unpacked('<' .. rep('d', #ARGV[6] / 8), ARGV[6]) }

-- Tables are made for panels alone, for they take most of the time; limits are numbered.
local panels, wanted, at, limits = {}, { 'MGET', KEYS[1] }, 1, 0
for number = 2, #KEYS do
  local size, window = fixed[at], fixed[at + 1]
  panels[number - 1] = {
    key = KEYS[number],
    size = size,
    window = window,
    -- Its limit in column c of a row has the number first + c, and is fixed from place + 4c on.
    first = limits - 1,
    place = at - 5,
    format = '<' .. rep('d', size + 1),
  }
  if window == 0 then
    wanted[#wanted + 1] = KEYS[number]
  end
  limits, at = limits + size, at + 3 + 4 * size
end

local kept = call(unpack(wanted))
if kept[1] ~= ARGV[2] then
  return { -1 }
end

local now = tonumber(ARGV[3])
if not now then
  local time = call('TIME')
  now = time[1] * 1000000 + time[2]
end

local function read(panel, index)
  return { unpacked(panel.format, call('LINDEX', panel.key, index)) }
end

-- The first place from `low` on, or `high`, that a test holds for, if it holds from there on.
local function first_place(low, high, holds)
  while low < high do
    local middle = floor((low + high) / 2)
    if holds(middle) then
      high = middle
    else
      low = middle + 1
    end
  end
  return low
end

-- An instant before the last one that the limits saw counts as that last one.
local buckets = 1
for number = 1, #panels do
  local panel, row = panels[number], nil
  if panel.window > 0 then
    row = call('LINDEX', panel.key, -1)
  else
    buckets = buckets + 1
    row = kept[buckets]
  end
  if row then
    local last = { unpacked(panel.format, row) }
    panel.last = last
    if last[1] > now then
      now = last[1]
    end
  end
end

-- Let go of what has left a window but for the last such row, which becomes the first.
local function expire(panel)
  local key, oldest = panel.key, now - panel.window
  local front = call('LRANGE', key, 0, 2)
  if not front[2] or unpacked('<d', front[2]) > oldest then
    return { unpacked(panel.format, front[1]) }
  elseif not front[3] or unpacked('<d', front[3]) > oldest then
    call('LPOP', key)
    return { unpacked(panel.format, front[2]) }
  end
  local function is_live(index)
    return unpacked('<d', call('LINDEX', key, index)) > oldest
  end
  local length, live = call('LLEN', key), 4
  while live < length and not is_live(live) do
    live = live * 2
  end
  local dead = first_place(floor(live / 2), min(live, length), is_live) - 1
  call('LTRIM', key, dead, -1)
  return read(panel, 0)
end

-- What is left of each limit: units of a window, parts of a bucket.
local left, admitted = {}, 1
for number = 1, #panels do
  local panel = panels[number]
  local first, place, last = panel.first, panel.place, panel.last
  if panel.window > 0 then
    local base
    if last then
      base = expire(panel)
    else
      base = { -1 }
      for column = 2, panel.size + 1 do
        base[column] = 0
      end
      panel.last, last = base, base
    end
    panel.base = base
    for column = 2, panel.size + 1 do
      local limit = first + column
      local room = fixed[place + 4 * column] - (last[column] - base[column]) % ROUND
      left[limit] = room
      local cost = amounts[2 * limit - 1]
      if cost > 0 and cost > room then
        admitted = 0
      end
    end
  else
    for column = 2, panel.size + 1 do
      local limit, own = first + column, place + 4 * column
      local level = fixed[own] * fixed[own + 1]
      if last then
        level = min(level, last[column] + (now - last[1]) * fixed[own + 2])
      end
      left[limit] = level
      local cost = amounts[2 * limit - 1]
      if cost > 0 and cost * fixed[own + 1] > level then
        admitted = 0
      end
    end
  end
end

-- Append what is charged now, or add it to what is charged at this instant.
local function log(panel, always)
  local last, base, first = panel.last, panel.base, panel.first
  local row = { now }
  for column = 2, panel.size + 1 do
    local limit = first + column
    local amount = amounts[2 * limit - admitted]
    if amount > 0 then
      amount = max(0, min(amount, MOST - (last[column] - base[column]) % ROUND))
      always = true
      left[limit] = left[limit] - amount
    end
    row[column] = (last[column] + amount) % ROUND
  end
  if not always then
    return
  end
  local made, before = pack(panel.format, unpack(row)), last[1]
  if before == -1 then
    call('RPUSH', panel.key, pack(panel.format, unpack(base)), made)
  elseif before == now then
    call('LSET', panel.key, -1, made)
  else
    call('RPUSH', panel.key, made)
  end
  panel.last = row
  -- It lasts for two windows at least, and is seen to once a window.
  if floor(before / panel.window) ~= floor(now / panel.window) then
    call('PEXPIRE', panel.key, math.ceil(panel.window / 333) + 1000)
  end
end

-- Charge each bucket: what an attempt costs, or what its refusal does, or a correction.
local function charge(panel)
  local row, emptiest = { now }, 0
  for column = 2, panel.size + 1 do
    local limit, own = panel.first + column, panel.place + 4 * column
    local parts, full, level = fixed[own + 1], fixed[own] * fixed[own + 1], left[limit]
    if verb == 'settle' then
      level = min(full, level - amounts[2 * limit - 1] * parts)
    elseif admitted == 1 then
      level = level - amounts[2 * limit - 1] * parts
    else
      -- Answers that cost more than was reserved may have led below the floor before.
      level = max(level - amounts[2 * limit] * parts, min(fixed[own + 3], level))
    end
    left[limit], row[column] = level, level
    emptiest = max(emptiest, (full - level) / fixed[own + 2])
  end
  local made = pack(panel.format, unpack(row))
  call('SET', panel.key, made, 'PX', math.ceil(emptiest / 1000) + 1000)
end

if verb == 'settle' then
  local charged = tonumber(ARGV[4])
  for _, panel in ipairs(panels) do
    if panel.window == 0 then
      charge(panel)
    elseif charged > now - panel.window then
      local length = call('LLEN', panel.key)
      local row = first_place(1, length, function(index)
        return unpacked('<d', call('LINDEX', panel.key, index)) >= charged
      end)
      for index = row, length - 1 do
        local totals = read(panel, index)
        for column = 2, panel.size + 1 do
          local change = amounts[2 * (panel.first + column) - 1]
          totals[column] = (totals[column] + change) % ROUND
        end
        call('LSET', panel.key, index, pack(panel.format, unpack(totals)))
      end
    end
  end
  return { 1, now }
end

local arrived = {}
for limit = 1, #left do
  arrived[limit] = left[limit]
end
if verb == 'decide' then
  local place = 3
  for number = 1, #panels do
    local panel = panels[number]
    if panel.window > 0 then
      log(panel, admitted == 1 and fixed[place] == 1)
    else
      charge(panel)
    end
    place = place + 3 + 4 * panel.size
  end
end

-- The microseconds until the row leaves the window by which it has taken in so much of a limit.
local function until_gone(panel, column, amount)
  local row = first_place(1, call('LLEN', panel.key) - 1, function(index)
    return (read(panel, index)[column] - panel.base[column]) % ROUND >= amount
  end)
  return read(panel, row)[1] + panel.window - now
end

local told = { admitted, now }
for number = 1, #panels do
  local panel = panels[number]
  local window = panel.window
  for column = 2, panel.size + 1 do
    local limit = panel.first + column
    local full, wait, room = 0, 0, left[limit]
    if window > 0 then
      local capacity, cost = fixed[panel.place + 4 * column], amounts[2 * limit - 1]
      if room ~= arrived[limit] then
        full = window
      elseif capacity > room then
        full = until_gone(panel, column, capacity - room)
      end
      if cost > capacity then
        wait = -1
      elseif cost > 0 and cost > room and admitted == 0 then
        wait = until_gone(panel, column, cost - room)
      end
    end
    told[#told + 1] = room
    told[#told + 1] = full
    if admitted == 0 then
      told[#told + 1] = arrived[limit]
      told[#told + 1] = wait
    end
  end
end
return told
