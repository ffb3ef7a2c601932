-- Takes the first of some accounts that can serve a call.
--
-- KEYS[4...]: the accounts. ARGV: process, time or '', last time at which somebody still waits for the answer or 0, most
-- running calls, budget, cost, 1 when this process may not be known here yet; then for each account its id, the number of the latest change that is known of it, and
-- its fields unless it is known to be known here.
-- Answers the place of the account that was taken, 0 for none, -1 when nobody waits any more, -2 when an account must
-- bring its fields; then the accounts that were looked at: what is news of the one that was taken, the others whole.
local now = time(ARGV[2])
local deadline = tonumber(ARGV[3])
if deadline > 0 and now > deadline then return {-1, {}} end
local most, field, cost = tonumber(ARGV[4]), 'b:' .. ARGV[5], tonumber(ARGV[6])
local mine = 'i:' .. ARGV[1]
local seen = {}
if ARGV[7] == '1' then redis.call('ZADD', KEYS[3], whole(now), ARGV[1]) end
for at = 4, #KEYS do
  local key, id, known, seed = KEYS[at], ARGV[3 * at - 4], ARGV[3 * at - 3], ARGV[3 * at - 2]
  local h, is_askers = redis.call('HMGET', key, 'st', 'un', field, 'n', mine, 'u', 'v'), false
  if not h[1] or not h[3] then
    if seed == '' then return {-2, {}} end
    is_askers = sow(key, seed)
    h = redis.call('HMGET', key, 'st', 'un', field, 'n', mine, 'u', 'v')
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
      local number, left, calls = stamp(id, ARGV[2]), print(b), whole((h[6] or 0) + 1)
      local more, used = whole(running + 1), whole(now)
      redis.call('HSET', key, field, left, 'n', more, mine, whole(held + 1), 'u', calls, 'lu', used, 'v', number)
      if is_back then redis.call('HSET', key, 'st', 'a') end
      seen[#seen + 1] = news(key, h[7], is_back and '' or known,
        {'v', number, field, left, 'n', more, 'u', calls, 'lu', used}, is_askers)
      return {at - 3, seen}
    end
  end
  seen[#seen + 1] = redis.call('HGETALL', key)
end
return {0, seen}
