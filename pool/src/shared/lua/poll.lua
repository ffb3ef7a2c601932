-- Says that a process lives, and answers what has changed.
--
-- KEYS[4]: the name of this memory, which is lost with it. ARGV: process, time or '', a name should it have none, number of
-- the last change seen, most accounts to tell of. Answers the time, the name, whether this process still held its calls,
-- the living processes, and the changed accounts: id and number alternately.
local now = time(ARGV[2])
redis.call('SET', KEYS[4], ARGV[3], 'NX')
local heard = redis.call('ZSCORE', KEYS[3], ARGV[1])
redis.call('ZADD', KEYS[3], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - 360 * LEASE)
local held = (heard and tonumber(heard) > now - LEASE) and 1 or 0
local changed = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[4], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[5])
return {now, redis.call('GET', KEYS[4]), held,
  redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. string.format('%.0f', now - LEASE), '+inf'), changed}
