-- What all scripts share.
--
-- An account is a hash:
--   st, un, rs   status (a active, c cooling, e expired, d disabled), its end in Unix ms, its reason
--   rf, fc, lf   refusals in a row, failures in a row, the latest failure as "<Unix ms> <reason>"
--   u, lu        calls so far, Unix ms of the latest
--   b:<budget>   "remaining total window_secs read_at reset_at cooling_until measured coolings", 0 for an unknown time
--   n, i:<proc>  running calls: of all processes, of one
--   v            number of its latest change
-- KEYS[1] counts changes, KEYS[2] is the set of accounts by the number of their latest change, KEYS[3] the set of
-- processes by the time they were last heard of (Unix ms).

-- The numbers of a budget.
local BUDGET = '^(%-?%d+) (%-?%d+) (%-?%d+) (%-?%d+) (%-?%d+) (%-?%d+) (%-?%d+) (%-?%d+)'

-- A process that was not heard of for so long no longer holds its calls, in ms.
local LEASE = 10000

local function time(given)
  if given ~= '' then return tonumber(given) end
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- A whole number as text: far cheaper than what Redis makes of a Lua number by itself.
local function whole(number) return string.format('%d', number) end

-- The number of a change, as text. Should the count be lost, it goes on above all that were ever given.
local function stamp(id, given)
  local number = redis.call('INCR', KEYS[1])
  if number == 1 then
    number = time(given) * 1000
    redis.call('SET', KEYS[1], whole(number))
  end
  number = whole(number)
  redis.call('ZADD', KEYS[2], number, id)
  return number
end

local function parse(text)
  local left, total, window, read, reset, cooling, measured, coolings = string.match(text, BUDGET)
  return {tonumber(left), tonumber(total), tonumber(window), tonumber(read), tonumber(reset), tonumber(cooling),
    measured, coolings}
end

local function print(b)
  return string.format('%d %d %d %d %d %d %s %s', b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8])
end

-- Fills a budget whose window has passed, and ends a cooling that is over.
local function roll(b, now)
  if b[5] > 0 and b[5] <= now then
    b[1], b[5], b[4], b[7] = b[2], 0, now, 0
  end
  if b[6] > 0 and b[6] <= now then b[6] = 0 end
end

-- Takes units off a budget, which begins its window.
local function charge(b, cost, now)
  b[1] = math.max(0, b[1] - cost)
  if b[5] == 0 then b[5] = now + b[3] * 1000 end
  if b[4] == 0 then b[4] = now end
end

-- What an asker has to hear of an account that was just changed: all of it, or only what was `made` of it when its number
-- before was the one that the asker knows. An account without changes is as its first asker told it.
local function news(key, before, known, made, is_askers)
  if before ~= known or known == '0' and not is_askers then return redis.call('HGETALL', key) end
  local told = {'since', known}
  for at = 1, #made do told[#told + 1] = made[at] end
  return told
end

-- Writes what is missing of an account from a flat list of fields; true when the account was unknown.
local function sow(key, seed)
  local fields = cjson.decode(seed)
  if redis.call('HSETNX', key, 'v', 0) == 1 then
    redis.call('HSET', key, unpack(fields))
    return true
  end
  for at = 1, #fields, 2 do redis.call('HSETNX', key, fields[at], fields[at + 1]) end
  return false
end

-- Ends the calls of processes that are gone; answers how many run.
local function bury(key, now)
  local running = 0
  local fields = redis.call('HGETALL', key)
  for at = 1, #fields, 2 do
    local process = string.match(fields[at], '^i:(.+)$')
    if process then
      local heard = redis.call('ZSCORE', KEYS[3], process)
      if heard and tonumber(heard) > now - LEASE then
        running = running + tonumber(fields[at + 1])
      else
        redis.call('HDEL', key, fields[at])
      end
    end
  end
  redis.call('HSET', key, 'n', whole(running))
  return running
end
