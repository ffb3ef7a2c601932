-- Writes what somebody made of an account, if it still is what they made it of.
--
-- KEYS[4]: the account. KEYS[5]: the channel for news. KEYS[6]: the accounts condemned lately. ARGV: time or '', account,
-- number of the change it was made of (0 for an unknown account), most condemned accounts or -1 when this condemns none, time a condemnation counts
-- in ms, then fields and values. Answers 1 when it was written, 0 when the account has changed meanwhile, 2
-- when too many were condemned; then the account as it is now.
local key = KEYS[4]
local now = time(ARGV[1])
local number = redis.call('HGET', key, 'v') or '0'
if number ~= ARGV[3] then return {0, redis.call('HGETALL', key)} end
if ARGV[4] ~= '-1' then
  redis.call('ZREMRANGEBYSCORE', KEYS[6], '-inf', now - tonumber(ARGV[5]))
  if redis.call('ZCARD', KEYS[6]) >= tonumber(ARGV[4]) then return {2, redis.call('HGETALL', key)} end
  redis.call('ZADD', KEYS[6], now, ARGV[2])
end
redis.call('HSET', key, 'v', stamp(ARGV[2], ARGV[1]), unpack(ARGV, 6))
redis.call('PUBLISH', KEYS[5], 'changed')
return {1, redis.call('HGETALL', key)}
