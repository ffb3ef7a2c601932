-- Writes changed rows. Keys: owner, about, one hash per table.
-- Arguments: me, how long in ms, state before, state after, then triples: number of the hash, row, value or nothing.
-- Answers {'done'}, {'owned'}, or {'other', state}: nothing was written then.
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
  return {'owned'}
end
local state = redis.call('HGET', KEYS[2], 'state') or ''
if state ~= ARGV[3] then
  return {'other', state}
end
for i = 5, #ARGV, 3 do
  local hash = KEYS[2 + tonumber(ARGV[i])]
  if ARGV[i + 2] == '' then
    redis.call('HDEL', hash, ARGV[i + 1])
  else
    redis.call('HSET', hash, ARGV[i + 1], ARGV[i + 2])
  end
end
redis.call('HSET', KEYS[2], 'state', ARGV[4])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {'done'}
