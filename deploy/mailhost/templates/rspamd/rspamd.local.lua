-- Nobody sends as somebody else, and nobody more than is his: the agent knows which addresses a
-- log-in may write in From, and counts.
-- And a domain that signs does not send without a signature.
-- No answer from the agent is a temporary refusal, never a yes.
local http = require "rspamd_http"
local logger = require "rspamd_logger"
local util = require "rspamd_util"

local AGENT = "http://127.0.0.1:@port_agent_http@/v1"
local TOKEN = "@token@"

local function refuse(task, text)
  task:set_pre_result("reject", text)
end

local function later(task, text)
  task:set_pre_result("soft reject", text or "The sender cannot be checked right now, try again later")
end

local function unsigned(task)
  later(task, "The mail cannot be signed right now, try again later")
end

-- The log-in of a person; nil for mail from outside and for the proof.
local function person(task)
  local login = task:get_user()
  if login and login ~= "postkontor-probe" then
    return login
  end
end

local function escaped(text)
  return (string.gsub(text, "[^%w]", function(char)
    return string.format("%%%02X", string.byte(char))
  end))
end

local function check(task)
  local login = person(task)
  if not login then
    return
  end
  local headers = task:get_header_full("From")
  if not headers or #headers ~= 1 then
    return refuse(task, "A mail needs exactly one From header")
  end
  local from = task:get_from({ "mime", "orig" })
  if not from or #from == 0 then
    return refuse(task, "The From header names no address")
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
        return refuse(task, "The " .. name .. " header names no address")
      end
      for _, each in ipairs(found) do
        addresses[#addresses + 1] = each.addr or ""
      end
    end
  end
  for _, address in ipairs(addresses) do
    query = query .. "&from=" .. escaped(address)
  end
  for _, recipient in ipairs(task:get_recipients("smtp") or {}) do
    query = query .. "&rcpt=" .. escaped(recipient.addr or "")
  end
  query = query .. "&size=" .. tostring(task:get_size()) .. "&id=" .. escaped(task:get_message_id() or "")
  local started = http.request({
    task = task,
    url = AGENT .. "/sender",
    method = "post",
    mime_type = "application/x-www-form-urlencoded",
    body = query,
    timeout = 4.0,
    headers = { ["X-Vault-Token"] = TOKEN },
    callback = function(err, code, body)
      if err or code ~= 200 then
        return later(task)
      end
      if not string.find(tostring(body), '"allowed": true', 1, true) then
        return refuse(task, "The From header is not an address of this log-in")
      end
      if not string.find(tostring(body), '"full": ""', 1, true) then
        later(task, "Too many recipients within an hour, try again later")
      end
    end,
  })
  if not started then
    later(task)
  end
end

local function check_signature(task)
  if not person(task) or task:has_symbol("DKIM_SIGNED") or task:has_pre_result() then
    return
  end
  local from = task:get_from({ "mime", "orig" }) or {}
  -- Rspamd signs no mail that several wrote together.
  if #from > 1 then
    return
  end
  local domain = from[1] and from[1].domain or ""
  if not string.find(domain, "^[%w.-]+$") then
    return unsigned(task)
  end
  local started = http.request({
    task = task,
    url = AGENT .. "/dkim/" .. domain,
    timeout = 4.0,
    headers = { ["X-Vault-Token"] = TOKEN },
    callback = function(err, code)
      -- 404: the domain has no key. Anything else without a signature is a fault.
      if err or code ~= 404 then
        unsigned(task)
      end
    end,
  })
  if not started then
    unsigned(task)
  end
end

local function careful(what)
  return function(task)
    -- A fault in the check is no answer either.
    local fine, fault = pcall(what, task)
    if not fine then
      logger.errx(task, "check failed: %s", fault)
      later(task)
    end
  end
end

rspamd_config:register_symbol{
  name = "POSTKONTOR_SENDER",
  type = "prefilter",
  priority = 10,
  callback = careful(check),
}
rspamd_config:register_symbol{
  name = "POSTKONTOR_SIGNATURE",
  type = "postfilter",
  callback = careful(check_signature),
}

-- The same crash as in local.d/options.inc: this rule looks for addresses in all words of a text.
rspamd_config:add_condition("BITCOIN_ADDR", function(task)
  return task:get_size() < 1024 * 1024
end)
