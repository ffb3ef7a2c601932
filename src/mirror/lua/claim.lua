-- Takes or renews the mirror. Keys: owner. Arguments: me, how long in ms.
-- Answers 0, or how long another owner still has it, in ms.
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
  return math.max(redis.call('PTTL', KEYS[1]), 1)
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 0
