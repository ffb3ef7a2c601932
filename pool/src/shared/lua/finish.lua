-- Ends calls of accounts and gives back what they did not use.
--
-- KEYS[4]: the channel for news. KEYS[5...]: the account of each call. ARGV: process, time or '', most running calls; then
-- for each call its account, budget, units to give back, 1 after a success, and the number of the latest change that is
-- known of the account. Answers for each call what is news of its account; nothing when it is gone.
local mine = 'i:' .. ARGV[1]
local most = tonumber(ARGV[3])

local function finish(key, id, budget, refund, success, known)
  local field = 'b:' .. budget
  local h = redis.call('HMGET', key, 'v', 'n', mine, field, 'rf', 'fc')
  if not h[1] then return {} end
  local running, held, left = tonumber(h[2] or 0), tonumber(h[3] or 0), h[4]
  if held > 0 then
    if running >= most then redis.call('PUBLISH', KEYS[4], 'free') end
    running = math.max(0, running - 1)
    if held == 1 then redis.call('HDEL', key, mine) end
  end
  if left and (refund > 0 or success) then
    local b = parse(left)
    if refund > 0 then b[1] = math.min(b[2], b[1] + refund) end
    if success then b[8] = 0 end
    left = print(b)
  end
  local made = {'v', stamp(id, ARGV[2]), 'n', whole(running)}
  local function set(name, value)
    made[#made + 1] = name
    made[#made + 1] = value
  end
  if left ~= h[4] then set(field, left) end
  if held > 1 then set(mine, whole(held - 1)) end
  if success and (h[5] ~= '0' or h[6] ~= '0') then
    set('rf', '0')
    set('fc', '0')
  end
  redis.call('HSET', key, unpack(made))
  return news(key, h[1], known, made)
end

local told = {}
for at = 5, #KEYS do
  local from = 5 * at - 21
  told[#told + 1] = finish(KEYS[at], ARGV[from], ARGV[from + 1], tonumber(ARGV[from + 2]), ARGV[from + 3] == '1',
    ARGV[from + 4])
end
return told
