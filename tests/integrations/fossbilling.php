<?php

// fossbilling.php - calls the methods of FOSSBilling's server manager against a running mailboxd.
//
// The stand-ins below are of FOSSBilling alone: the base class and the values that it passes, with
// the members that the manager needs. What the manager asks of mailboxd goes to the real service;
// checks.php says how it is found.

class Server_Exception extends Exception
{
    public function __construct(string $message, ?array $variables = null, int $code = 0)
    {
        parent::__construct(strtr($message, $variables ?? []), $code);
    }
}

abstract class Server_Manager
{
    protected array $_config = [
        'ip' => null,
        'host' => null,
        'secure' => false,
        'username' => null,
        'password' => null,
        'accesshash' => null,
        'config' => null,
        'port' => null,
    ];

    public function __construct(array $options)
    {
        $this->_config = array_intersect_key($options, $this->_config) + $this->_config;
    }

    abstract public function getLoginUrl(?Server_Account $account);
    abstract public function getResellerLoginUrl(?Server_Account $account);
    abstract public function testConnection();
    abstract public function createAccount(Server_Account $account);
    abstract public function synchronizeAccount(Server_Account $account);
    abstract public function suspendAccount(Server_Account $account);
    abstract public function unsuspendAccount(Server_Account $account);
    abstract public function cancelAccount(Server_Account $account);
    abstract public function changeAccountPassword(Server_Account $account, string $newPassword);
    abstract public function changeAccountUsername(Server_Account $account, string $newUsername);
    abstract public function changeAccountDomain(Server_Account $account, string $newDomain);
    abstract public function changeAccountIp(Server_Account $account, string $newIp);
    abstract public function changeAccountPackage(Server_Account $account, Server_Package $package);
}

// A value with a getter and a setter for each member, as the three classes below have them.
abstract class Server_Value
{
    public function __construct(private array $members)
    {
    }

    public function __call(string $name, array $arguments): mixed
    {
        if (str_starts_with($name, 'set')) {
            $this->members[substr($name, 3)] = $arguments[0];
            return $this;
        }
        return $this->members[substr($name, 3)] ?? null;
    }
}

final class Server_Client extends Server_Value
{
}

final class Server_Package extends Server_Value
{
}

final class Server_Account extends Server_Value
{
}

require __DIR__ . '/checks.php';
require __DIR__ . '/../../integrations/fossbilling/Mailboxd.php';

$run = bin2hex(random_bytes(4));
$server = parse_url(environment('BASE_URL'));
$isSecure = $server['scheme'] === 'https';
$options = [
    'host' => $server['host'],
    'ip' => '',
    'port' => $server['port'] ?? ($isSecure ? 443 : 80),
    'secure' => $isSecure,
    'accesshash' => environment('OPERATOR_KEY'),
    'config' => ['userprefix' => "test-$run-"],
];
$manager = new Server_Manager_Mailboxd($options);
$domain = "fossbilling-$run.example";
$name = "test-$run-$domain";
$password = "first horse battery $run";
$package = new Server_Package(['MaxPop' => '5', 'Quota' => '100']);
$client = new Server_Client(['Email' => "client-$run@client.example"]);
$members = [
    'Username' => $name,
    'Password' => $password,
    'Domain' => $domain,
    'Ip' => '192.0.2.1',
    'Client' => $client,
    'Package' => $package,
];
$account = new Server_Account($members);
// An account like that one, but for some members.
$like = fn(array $changed) => new Server_Account($changed + $members);
$messages = [];

// Runs a call. Returns its result, or the message of its exception.
$result = function (callable $call) use (&$messages): mixed {
    try {
        return $call();
    } catch (Server_Exception $error) {
        $messages[] = $error->getMessage();
        return $error->getMessage();
    }
};
$create = fn(Server_Account $wanted) => $result(fn() => $manager->createAccount($wanted));
$cancel = fn(Server_Account $wanted) => $result(fn() => $manager->cancelAccount($wanted));

// What FOSSBilling reads without calling the server.
$fields = Server_Manager_Mailboxd::getForm()['form']['credentials']['fields'];
check('the form asks for the key', ['accesshash'], array_column($fields, 'name'));
check('the username is made of the domain', $name, $manager->generateUsername(ucfirst($domain)));
$root = rtrim(environment('BASE_URL'), '/');
check('the login URL', true, str_starts_with($manager->getLoginUrl($account), $root));
check('the reseller has the same', $manager->getLoginUrl(), $manager->getResellerLoginUrl());

// Connection.
check('test connection', true, $result(fn() => $manager->testConnection()));
$connect = fn(array $changed) => (string) $result(
    fn() => (new Server_Manager_Mailboxd($changed + $options))->testConnection()
);
check_contains('a wrong key', 'Forbidden', $connect(['accesshash' => 'mbx-wrong-key-of-nobody']));
$nobody = ['host' => '127.0.0.1', 'port' => UNUSED_PORT];
check_contains('nothing listens', 'No answer from', $connect($nobody));
$plain = ['host' => 'mail.example', 'secure' => false];
check_contains('the key is not sent as plain text', 'not secure', $connect($plain));
check_contains('no key', 'no operator key', $connect(['accesshash' => '']));

// Before there is an account.
check_contains(
    'suspend what is not there',
    "no account $name",
    (string) $result(fn() => $manager->suspendAccount($account))
);
check('cancel what is not there', true, $cancel($account));
check('cancel an order that was never activated', true, $cancel($like(['Username' => null])));
check_contains('create without a username', 'no username', $create($like(['Username' => null])));
$wrong = new Server_Package(['MaxPop' => 'many', 'Quota' => '100']);
check_contains('a plan with a wrong number', "'many'", $create($like(['Package' => $wrong])));

// The second step fails: the server refuses the password.
check('a create with a refused password fails', true, $create($like(['Password' => 'x'])) !== true);
check('its account is undone', [], accounts($name));
$other = occupy("other-$run", $domain);
check_contains('a create of a domain of somebody else fails', 'domain_exists', $create($account));
check('its account is undone, too', [], accounts($name));
check('the domain stays where it was', 200, api('GET', "/v3/domains/$domain", [], $other)[0]);
remove($other);

// Create, then again with a new password, as FOSSBilling does when the answer was lost.
check('create', true, $create($account));
$id = (string) account($name, 'id');
check('the domain exists', $domain, domain($domain)['name'] ?? null);
check('the domain has its limit', 5, domain($domain)['max_mailboxes'] ?? null);
check('the domain has its quota', 100 << 20, domain($domain)['quota_bytes'] ?? null);
$mailboxes = api('GET', "/v3/$domain/mailboxes")[1]['items'] ?? [];
check('postmaster exists', ["postmaster@$domain"], array_column($mailboxes, 'mailbox'));
check_login('postmaster can log in', true, $domain, $password);
$second = "second horse battery $run";
check('create again with a new password', true, $create($like(['Password' => $second])));
check('there is still one account', [$name], array_keys(accounts($name)));
check('the account is the same', $id, (string) account($name, 'id'));
check_login('the new password is valid', true, $domain, $second);

// Another client orders the same domain. The account must not become his.
$stranger = new Server_Client(['Email' => "stranger-$run@client.example"]);
$theirs = ['Client' => $stranger, 'Password' => "stranger horse battery $run"];
check_contains('a stranger gets an error', 'account_exists', $create($like($theirs)));
check('cancelling that order changes nothing', true, $cancel($like(['Username' => null])));
check('the account is still the same', $id, (string) account($name, 'id'));
check_login('the password is still the same', true, $domain, $second);

// Suspend, synchronize and unsuspend.
$key = key_of_account($id);
$list = fn() => api('GET', "/v3/$domain/mailboxes", [], '', $key)[0];
$synchronize = fn() => $manager->synchronizeAccount($account);
check('the key of the account may read', 200, $list());
check('suspend', true, $result(fn() => $manager->suspendAccount($account)));
check('the account is disabled', 'disabled', account($name, 'status'));
check('its key is refused', 403, $list());
check('synchronize shows that', true, $synchronize()->getSuspended());
check('unsuspend', true, $result(fn() => $manager->unsuspendAccount($account)));
check('the account is open', 'open', account($name, 'status'));
check('its key may read again', 200, $list());
check('synchronize shows that, too', false, $synchronize()->getSuspended());
$megabytes = (int) ceil((domain($domain)['size_bytes'] ?? -9e9) / (1 << 20));
check('its note has the usage', "1 mailboxes, $megabytes MB", $synchronize()->getNote());
check('its username is the same', $name, $synchronize()->getUsername());

// Package and password.
$larger = new Server_Package(['MaxPop' => '20', 'Quota' => 'unlimited']);
$change = fn() => $manager->changeAccountPackage($account, $larger);
check('change the package', true, $result($change));
check('the domain has the new limit', 20, domain($domain)['max_mailboxes'] ?? null);
check('the domain has no quota', null, domain($domain)['quota_bytes'] ?? null);
$third = "third horse battery $run";
$change = fn(string $wanted) => $result(
    fn() => $manager->changeAccountPassword($account, $wanted)
);
check('change the password', true, $change($third));
check_login('the new password is valid', true, $domain, $third);
check_login('the old password is not', false, $domain, $second);
check('a refused password is reported', true, $change('y') !== true);

// What cannot be done.
$refused = [
    'username' => fn() => $manager->changeAccountUsername($account, 'other'),
    'domain' => fn() => $manager->changeAccountDomain($account, 'other.example'),
    'IP' => fn() => $manager->changeAccountIp($account, '192.0.2.2'),
];
foreach ($refused as $what => $call) {
    check_contains("a change of the $what is refused", 'Nothing was changed', $result($call));
}

// Cancel.
check_contains(
    'an order with another domain is not cancelled',
    'has other domains',
    (string) $cancel($like(['Domain' => "no-$run.example"]))
);
check('cancel', true, $cancel($account));
check('the account is gone', [], accounts($name));
check('the domain is gone', 404, api('GET', "/v3/domains/$domain")[0]);
check('cancel again', true, $cancel($account));

// Answers are lost on the way. One lost answer is repeated at once, a second one is reported.
foreach (['POST /v5/accounts/subaccounts', 'POST /v3/domains'] as $request) {
    foreach ([1, 2] as $count) {
        $proxy = new LosingProxy($request, $count);
        $there = ['host' => '127.0.0.1', 'port' => $proxy->port, 'secure' => false] + $options;
        $far = new Server_Manager_Mailboxd($there);
        $answer = $result(fn() => $far->createAccount($account));
        $proxy->stop();
        if ($count === 1) {
            check("create, an answer of $request is lost", true, $answer);
        } else {
            check_contains("create, two of $request are lost", 'No answer from', (string) $answer);
            check('create again after that', true, $create($account));
        }
        check('there is one account', [$name], array_keys(accounts($name)));
        check_login('its password is valid', true, $domain, $password);
        check('cancel it', true, $cancel($account));
    }
}
check('nothing is left', [], accounts("test-$run"));

$secrets = [$options['accesshash'], $password, $second, $third, $theirs['Password']];
check_no_secret('no secret is in a message', $secrets, $messages);
finish();
