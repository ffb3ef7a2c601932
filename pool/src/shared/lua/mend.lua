-- Sets the running calls of one process, and books what was used without asking.
--
-- KEYS[4]: the account. ARGV: process, time or '', account, running calls, fields of the account should it be unknown, then
-- budget and units used (negative: given back) alternately. Answers the account as it is now.
local key = KEYS[4]
local now = time(ARGV[2])
local mine = 'i:' .. ARGV[1]
redis.call('ZADD', KEYS[3], whole(now), ARGV[1])
local held = tonumber(ARGV[4])
local is_new = sow(key, ARGV[5])
local h = redis.call('HMGET', key, 'n', mine)
redis.call('HSET', key, 'n', math.max(0, tonumber(h[1] or 0) - tonumber(h[2] or 0)) + held)
if held > 0 then redis.call('HSET', key, mine, held) else redis.call('HDEL', key, mine) end
-- The fields of an unknown account tell of its use already.
for at = 6, is_new and 0 or #ARGV, 2 do
  local field = 'b:' .. ARGV[at]
  local text = redis.call('HGET', key, field)
  if text then
    local b = parse(text)
    local used = tonumber(ARGV[at + 1])
    roll(b, now)
    if used > 0 then charge(b, used, now) else b[1] = math.min(b[2], b[1] - used) end
    redis.call('HSET', key, field, print(b))
  end
end
redis.call('HSET', key, 'v', stamp(ARGV[3], ARGV[2]))
return redis.call('HGETALL', key)
