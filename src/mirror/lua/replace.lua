-- Puts a whole new mirror in the place of the former one. Keys: owner, about, then pairs: draft, hash.
-- Arguments: me, how long in ms, state before, number of tables, rows of each draft, then names and values of about.
-- Answers {'done'}, {'owned'}, {'other', state} or {'lost'}: nothing was changed then.
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
  return {'owned'}
end
local state = redis.call('HGET', KEYS[2], 'state') or ''
if state ~= ARGV[3] then
  return {'other', state}
end
local tables = tonumber(ARGV[4])
for i = 1, tables do
  if redis.call('HLEN', KEYS[1 + 2 * i]) ~= tonumber(ARGV[4 + i]) then
    return {'lost'}
  end
end
for i = 1, tables do
  local draft, hash = KEYS[1 + 2 * i], KEYS[2 + 2 * i]
  if redis.call('EXISTS', draft) == 1 then
    redis.call('RENAME', draft, hash)
    redis.call('PERSIST', hash)
  else
    redis.call('DEL', hash)
  end
end
redis.call('DEL', KEYS[2])
for i = 5 + tables, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {'done'}
