-- Ends one call of an account and gives back what it did not use.
--
-- KEYS[4]: the account. KEYS[5]: the channel for news. ARGV: process, time or '', account, budget, units to give back,
-- 1 after a success, most running calls, the number of the latest change that is known of it. Answers what is news of
-- the account; nothing when it is gone.
local key = KEYS[4]
local now = time(ARGV[2])
local mine, field = 'i:' .. ARGV[1], 'b:' .. ARGV[4]
local h = redis.call('HMGET', key, 'v', 'n', mine, field, 'rf', 'fc')
if not h[1] then return {} end
local running, held, left = tonumber(h[2] or 0), tonumber(h[3] or 0), h[4]
if held > 0 then
  if running >= tonumber(ARGV[7]) then redis.call('PUBLISH', KEYS[5], 'free') end
  running = math.max(0, running - 1)
  if held > 1 then redis.call('HSET', key, mine, held - 1) else redis.call('HDEL', key, mine) end
end
local back, success = tonumber(ARGV[5]), ARGV[6] == '1'
if left and (back > 0 or success) then
  local b = parse(left)
  if back > 0 then b[1] = math.min(b[2], b[1] + back) end
  if success then b[8] = 0 end
  left = print(b)
end
local number = stamp(ARGV[3], now)
local made = {'v', number, 'n', running}
local function set(name, value)
  made[#made + 1] = name
  made[#made + 1] = value
end
if left ~= h[4] then set(field, left) end
if success and (h[5] ~= '0' or h[6] ~= '0') then
  set('rf', 0)
  set('fc', 0)
end
redis.call('HSET', key, unpack(made))
return news(key, h[1], ARGV[8], made)
