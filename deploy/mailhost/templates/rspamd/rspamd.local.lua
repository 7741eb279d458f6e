-- Nobody sends as somebody else: the agent knows which addresses a log-in may write in From.
-- No answer from it is a temporary refusal, never a yes.
local http = require "rspamd_http"
local logger = require "rspamd_logger"
local util = require "rspamd_util"

local AGENT = "http://127.0.0.1:@port_agent_http@/v1/sender"
local TOKEN = "@token@"

local function refuse(task, text)
  task:set_pre_result("reject", text)
end

local function later(task)
  task:set_pre_result("soft reject", "4.7.1 The sender cannot be checked right now, try again later")
end

local function escaped(text)
  return (string.gsub(text, "[^%w]", function(char)
    return string.format("%%%02X", string.byte(char))
  end))
end

local function check(task)
  local login = task:get_user()
  if not login or login == "postkontor-probe" then
    return
  end
  local headers = task:get_header_full("From")
  if not headers or #headers ~= 1 then
    return refuse(task, "5.7.1 A mail needs exactly one From header")
  end
  local from = task:get_from({ "mime", "orig" })
  if not from or #from == 0 then
    return refuse(task, "5.7.1 The From header names no address")
  end
  local query = "login=" .. escaped(login)
  local addresses = {}
  for _, each in ipairs(from) do
    addresses[#addresses + 1] = each.addr or ""
  end
  for _, name in ipairs({ "Sender", "Resent-From" }) do
    for _, header in ipairs(task:get_header_full(name) or {}) do
      local found = util.parse_mail_address(header.decoded or "", task:get_mempool()) or {}
      if #found == 0 then
        return refuse(task, "5.7.1 The " .. name .. " header names no address")
      end
      for _, each in ipairs(found) do
        addresses[#addresses + 1] = each.addr or ""
      end
    end
  end
  for _, address in ipairs(addresses) do
    query = query .. "&from=" .. escaped(address)
  end
  local started = http.request({
    task = task,
    url = AGENT .. "?" .. query,
    timeout = 4.0,
    headers = { ["X-Vault-Token"] = TOKEN },
    callback = function(err, code, body)
      if err or code ~= 200 then
        return later(task)
      end
      if not string.find(tostring(body), '"allowed": true', 1, true) then
        refuse(task, "5.7.1 The From header is not an address of this log-in")
      end
    end,
  })
  if not started then
    later(task)
  end
end

rspamd_config:register_symbol{
  name = "POSTKONTOR_SENDER",
  type = "prefilter",
  priority = 10,
  callback = function(task)
    -- A fault in the check is no answer either.
    local fine, fault = pcall(check, task)
    if not fine then
      logger.errx(task, "sender check failed: %s", fault)
      later(task)
    end
  end,
}
