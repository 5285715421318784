<?php

// whmcs.php - calls the WHMCS module's functions against a running mailboxd.
//
// The stand-ins below are of WHMCS alone: its constant, its module log and its database. What the
// module asks of mailboxd goes to the real service; checks.php says how it is found.

namespace WHMCS\Database {

    // The table tblhosting with the few calls of the query builder that the module needs.
    final class Capsule
    {
        public static array $rows = [];
        private array $tests = [];

        public static function table(string $name): self
        {
            if ($name !== 'tblhosting') {
                throw new \LogicException("no table $name");
            }
            return new self();
        }

        public static function raw(string $expression): string
        {
            return "raw $expression";
        }

        public function where(string $column, mixed $value): self
        {
            return $this->whereIn($column, [$value]);
        }

        public function whereIn(string $column, array $values): self
        {
            $this->tests[] = fn($row) => in_array($row[$column], $values);
            return $this;
        }

        public function pluck(string $value, string $key): array
        {
            $matches = array_filter(self::$rows, fn($row) => $this->hasRow($row));
            return array_column($matches, $value, $key);
        }

        public function update(array $values): int
        {
            $count = 0;
            foreach (self::$rows as &$row) {
                if ($this->hasRow($row)) {
                    $row = $values + $row;
                    $count++;
                }
            }
            return $count;
        }

        private function hasRow(array $row): bool
        {
            foreach ($this->tests as $test) {
                if (!$test($row)) {
                    return false;
                }
            }
            return true;
        }
    }
}

namespace {

    use WHMCS\Database\Capsule;

    const WHMCS = true;

    $moduleLog = [];

    // WHMCS replaces the values of $replaceVars in what it stores. The stand-in stores the texts
    // as they are, so that the checks see what the module itself leaves out.
    function logModuleCall($module, $action, $request, $response, $processed, $replaceVars): void
    {
        global $moduleLog;
        $moduleLog[] = json_encode([$module, $action, $request, $response, $processed]);
    }

    require __DIR__ . '/checks.php';
    require __DIR__ . '/../../integrations/whmcs/mailboxd/mailboxd.php';

    $run = bin2hex(random_bytes(4));
    $server = parse_url(environment('BASE_URL'));
    $isSecure = $server['scheme'] === 'https';
    $service = 7;
    $params = [
        'serviceid' => $service,
        'serverid' => 3,
        'domain' => "whmcs-$run.example",
        'username' => 'whmcsexa',
        'password' => "first horse battery $run",
        'configoption1' => '5',
        'configoption2' => '100',
        'configoptions' => [],
        'serverhostname' => $server['host'],
        'serverip' => '',
        'serverport' => $server['port'] ?? ($isSecure ? 443 : 80),
        'serversecure' => $isSecure,
        'serverusername' => "test-$run",
        'serverpassword' => environment('OPERATOR_KEY'),
        'serveraccesshash' => '',
    ];
    $name = "test-$run-$service";
    $domain = $params['domain'];
    $through = fn(LosingProxy $proxy) => [
        'serverhostname' => '127.0.0.1',
        'serverport' => $proxy->port,
        'serversecure' => false,
    ] + $params;
    $secrets = [$params['serverpassword'], $params['password']];
    $messages = [];

    // What WHMCS reads of the module without calling the server.
    check('MetaData requires a server', true, mailboxd_MetaData()['RequiresServer']);
    check('ConfigOptions', ['Mailboxes', 'Quota'], array_keys(mailboxd_ConfigOptions()));

    // Connection.
    $good = ['success' => true, 'error' => ''];
    check('test connection', $good, mailboxd_TestConnection($params));
    $wrongKey = ['serverpassword' => 'mbx-wrong-key-of-nobody'] + $params;
    $answer = mailboxd_TestConnection($wrongKey);
    check('a wrong key is refused', false, $answer['success']);
    check_contains('a wrong key: the reason', 'Forbidden', $answer['error']);
    $messages[] = $answer['error'];
    $nobody = ['serverhostname' => '127.0.0.1', 'serverport' => UNUSED_PORT] + $params;
    $answer = mailboxd_TestConnection($nobody);
    check('nothing listens: refused', false, $answer['success']);
    check_contains('nothing listens: the reason', 'No answer from', $answer['error']);
    $messages[] = $answer['error'];
    $plain = ['serverhostname' => 'mail.example', 'serversecure' => false] + $params;
    check_contains(
        'the key is not sent as plain text',
        'not secure',
        mailboxd_TestConnection($plain)['error']
    );
    check_contains(
        'no key',
        'no operator key',
        mailboxd_TestConnection(['serverpassword' => ''] + $params)['error']
    );

    // Before there is an account.
    $messages[] = $answer = mailboxd_SuspendAccount($params);
    check_contains('suspend what is not there', "no account $name", $answer);
    check('terminate what is not there', 'success', mailboxd_TerminateAccount($params));
    $answer = mailboxd_CreateAccount(['configoption1' => 'many'] + $params);
    check_contains('a product with a wrong number', "Mailboxes is 'many'", $answer);

    // The second step fails: the server refuses the password.
    $messages[] = $answer = mailboxd_CreateAccount(['password' => 'x'] + $params);
    check('a create with a refused password fails', true, $answer !== 'success');
    check('its account is undone', [], accounts($name));
    $other = occupy("other-$run", $domain);
    $messages[] = $answer = mailboxd_CreateAccount($params);
    check_contains('a create of a domain of somebody else fails', 'domain_exists', $answer);
    check('its account is undone, too', [], accounts($name));
    check('the domain stays where it was', 200, api('GET', "/v3/domains/$domain", [], $other)[0]);
    remove($other);

    // Create, with a neighbour whose name begins with the same characters.
    check('create', 'success', mailboxd_CreateAccount($params));
    $neighbour = ['serviceid' => "{$service}1", 'domain' => "whmcs-$run-1.example"] + $params;
    check('create the neighbour', 'success', mailboxd_CreateAccount($neighbour));
    $id = (string) account($name, 'id');
    check('the account has the name of the service', true, $id !== '');
    check('the domain exists', $domain, domain($domain)['name'] ?? null);
    check('the domain has its limit', 5, domain($domain)['max_mailboxes'] ?? null);
    check('the domain has its quota', 100 << 20, domain($domain)['quota_bytes'] ?? null);
    $mailboxes = api('GET', "/v3/$domain/mailboxes")[1]['items'] ?? [];
    check('postmaster exists', ["postmaster@$domain"], array_column($mailboxes, 'mailbox'));
    check_login('postmaster can log in', true, $domain, $params['password']);

    // Create again, because the answer was lost.
    check('create again', 'success', mailboxd_CreateAccount($params));
    check('there are still two accounts', 2, count(accounts($name)));
    check('the account is the same', $id, (string) account($name, 'id'));
    $messages[] = $answer = mailboxd_CreateAccount(['domain' => "no-$run.example"] + $params);
    check_contains('create with another domain is refused', 'has other domains', $answer);

    // Suspend and unsuspend.
    $key = key_of_account($id);
    $list = fn() => api('GET', "/v3/$domain/mailboxes", [], '', $key)[0];
    check('the key of the account may read', 200, $list());
    check('suspend', 'success', mailboxd_SuspendAccount($params));
    check('the account is disabled', 'disabled', account($name, 'status'));
    check('its key is refused', 403, $list());
    check('suspend again', 'success', mailboxd_SuspendAccount($params));
    check('the neighbour is open', 'open', account("{$name}1", 'status'));
    check('unsuspend', 'success', mailboxd_UnsuspendAccount($params));
    check('the account is open', 'open', account($name, 'status'));
    check('its key may read again', 200, $list());

    // Package and password.
    $larger = ['configoption1' => '20', 'configoption2' => '0'] + $params;
    check('change the package', 'success', mailboxd_ChangePackage($larger));
    check('the domain has the new limit', 20, domain($domain)['max_mailboxes'] ?? null);
    check('the domain has no quota', null, domain($domain)['quota_bytes'] ?? null);
    $chosen = ['configoptions' => ['Mailboxes' => '30']] + $larger;
    check('change a configurable option', 'success', mailboxd_ChangePackage($chosen));
    check('the domain has the chosen limit', 30, domain($domain)['max_mailboxes'] ?? null);
    $changed = ['password' => "second horse battery $run"] + $params;
    $secrets[] = $changed['password'];
    check('change the password', 'success', mailboxd_ChangePassword($changed));
    check_login('the new password is valid', true, $domain, $changed['password']);
    check_login('the old password is not', false, $domain, $params['password']);
    $messages[] = $answer = mailboxd_ChangePassword(['password' => 'y'] + $params);
    check('a refused password is reported', true, $answer !== 'success');
    $theirs = ['domain' => $neighbour['domain']] + $changed;
    check(
        'the password of another service cannot be changed',
        true,
        mailboxd_ChangePassword($theirs) !== 'success'
    );

    // Usage.
    $row = ['server' => 3, 'domainstatus' => 'Active', 'diskusage' => -1, 'lastupdate' => ''];
    Capsule::$rows = [
        ['id' => $service, 'domain' => strtoupper($domain)] + $row,
        ['id' => 8, 'domain' => $domain, 'domainstatus' => 'Terminated'] + $row,
        ['id' => 9, 'domain' => $domain, 'server' => 4] + $row,
        ['id' => 10, 'domain' => "unknown-$run.example"] + $row,
    ];
    check('update the usage', 'success', mailboxd_UsageUpdate($params));
    $megabytes = (int) ceil((domain($domain)['size_bytes'] ?? -9e9) / (1 << 20));
    check(
        'only the service of this server has its usage',
        [$megabytes, -1, -1, -1],
        array_column(Capsule::$rows, 'diskusage')
    );
    check('the time is set', 'raw now()', Capsule::$rows[0]['lastupdate']);

    // Terminate.
    check_contains(
        'a service with another domain is not terminated',
        'has other domains',
        mailboxd_TerminateAccount(['domain' => "no-$run.example"] + $params)
    );
    check('terminate', 'success', mailboxd_TerminateAccount($params));
    check('the account is gone', ["{$name}1"], array_keys(accounts($name)));
    check('the domain is gone', 404, api('GET', "/v3/domains/$domain")[0]);
    check('terminate again', 'success', mailboxd_TerminateAccount($params));

    // Answers are lost on the way. One lost answer is repeated at once, a second one is reported.
    foreach (['POST /v5/accounts/subaccounts', 'POST /v3/domains'] as $request) {
        foreach ([1, 2] as $count) {
            $proxy = new LosingProxy($request, $count);
            $answer = mailboxd_CreateAccount($through($proxy));
            $proxy->stop();
            if ($count === 1) {
                check("create, an answer of $request is lost", 'success', $answer);
            } else {
                $messages[] = $answer;
                check_contains("create, two of $request are lost", 'No answer from', $answer);
                check('create again after that', 'success', mailboxd_CreateAccount($params));
            }
            check('there is one account', 1, count(accounts($name)) - 1);
            check_login('its password is valid', true, $domain, $params['password']);
            check('terminate it', 'success', mailboxd_TerminateAccount($params));
        }
    }
    check('terminate the neighbour', 'success', mailboxd_TerminateAccount($neighbour));
    check('nothing is left', [], accounts("test-$run"));

    // Secrets.
    check('the module log has entries', true, count($moduleLog) > 50);
    check_no_secret('no secret is in the module log', $secrets, $moduleLog);
    check_no_secret('no secret is in a message', $secrets, $messages);
    finish();
}
