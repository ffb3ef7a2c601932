-- Takes the first of some accounts that can serve a call.
--
-- KEYS[4...]: the accounts. ARGV: process, time or '', last time at which somebody still waits for the answer or 0, most
-- running calls, budget, cost; then for each account its id and, unless it is known to be known here, its fields.
-- Answers the place of the account that was taken, 0 for none, -1 when nobody waits any more, -2 when an account must
-- bring its fields; then the accounts that were looked at, as they are now.
local now = time(ARGV[2])
local deadline = tonumber(ARGV[3])
if deadline > 0 and now > deadline then return {-1, {}} end
local most, field, cost = tonumber(ARGV[4]), 'b:' .. ARGV[5], tonumber(ARGV[6])
local mine = 'i:' .. ARGV[1]
local seen = {}
redis.call('ZADD', KEYS[3], now, ARGV[1])
for at = 4, #KEYS do
  local key, id, seed = KEYS[at], ARGV[2 * at - 1], ARGV[2 * at]
  local h = redis.call('HMGET', key, 'st', 'un', field, 'n', mine, 'u')
  if not h[1] or not h[3] then
    if seed == '' then return {-2, {}} end
    sow(key, seed)
    h = redis.call('HMGET', key, 'st', 'un', field, 'n', mine, 'u')
  end
  local status, b = h[1], parse(h[3])
  local is_back = status == 'c' and tonumber(h[2]) <= now
  if is_back then status = 'a' end
  roll(b, now)
  local running = tonumber(h[4] or 0)
  if status == 'a' and b[6] == 0 and b[1] >= cost then
    local held = tonumber(h[5] or 0)
    if running >= most then running = bury(key, now) end
    if running < most then
      charge(b, cost, now)
      local number = stamp(id, now)
      redis.call('HSET', key, field, print(b), 'n', running + 1, mine, held + 1, 'u', (h[6] or 0) + 1, 'lu', now,
        'v', number, 'st', status)
      seen[#seen + 1] = redis.call('HGETALL', key)
      return {at - 3, seen}
    end
  end
  seen[#seen + 1] = redis.call('HGETALL', key)
end
return {0, seen}
