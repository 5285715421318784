<?php

/*
 * Mailboxd.php - the FOSSBilling server manager of mailboxd.
 *
 * One order is one account of mailboxd with one domain. The account's name is the order's
 * username, which is made of the domain: FOSSBilling makes a new username and a new password each
 * time it tries to activate an order, and the next attempt must find what the last one has left.
 *
 * Each method throws Server_Exception with a sentence for the administrator. Each can be repeated:
 * after a failure, or when its answer was lost. No message contains the operator key or a
 * password.
 */
class Server_Manager_Mailboxd extends Server_Manager
{
    private const CONNECT_SECONDS = 10;
    private const ANSWER_SECONDS = 60;
    private const PAGE = 1000;

    // How many deleted accounts of one order within a day claimAccount passes before it gives up.
    private const MOST_ATTEMPTS = 20;

    // The request may have been carried out, although its answer did not arrive.
    private const LOST_ANSWERS = [
        CURLE_OPERATION_TIMEOUTED,
        CURLE_GOT_NOTHING,
        CURLE_PARTIAL_FILE,
        CURLE_SEND_ERROR,
        CURLE_RECV_ERROR,
    ];
    private const GATEWAY_ERRORS = [502, 503, 504];

    // Returns the fields that FOSSBilling shows for a server of this type.
    public static function getForm(): array
    {
        return [
            'label' => 'mailboxd',
            'form' => [
                'credentials' => [
                    'fields' => [
                        [
                            'name' => 'accesshash',
                            'type' => 'password',
                            'label' => 'Operator key',
                            'placeholder' => 'The key that mailboxctl key add --operator printed',
                            'required' => true,
                        ],
                    ],
                ],
            ],
        ];
    }

    // Returns the address that customers are sent to. mailboxd has no page for them; this is the
    // root of its web server, where the operator may run a webmail.
    public function getLoginUrl(?Server_Account $account = null): string
    {
        return $this->serverUrl() . '/';
    }

    public function getResellerLoginUrl(?Server_Account $account = null): string
    {
        return $this->getLoginUrl($account);
    }

    // Returns the domain, with the server's prefix for usernames. It is the same in each attempt.
    public function generateUsername(string $domain): string
    {
        return ($this->_config['config']['userprefix'] ?? '') . strtolower($domain);
    }

    public function testConnection(): bool
    {
        $this->request('GET', '/v5/accounts/subaccounts?limit=1');
        return true;
    }

    // Returns a copy with the present state. FOSSBilling has no field for the usage, so the note
    // names it.
    public function synchronizeAccount(Server_Account $account): Server_Account
    {
        $found = $this->existingAccount($account);
        $usage = $this->usage($found['id'], $this->domainOf($account));
        $copy = clone $account;
        $copy->setSuspended(($found['status'] ?? '') === 'disabled');
        $copy->setNote(sprintf(
            '%d mailboxes, %d MB',
            $usage['mailboxes'],
            ceil($usage['size_bytes'] / (1024 * 1024))
        ));
        return $copy;
    }

    // Creates account, domain and postmaster. What an earlier attempt of the same order has left
    // is completed. If the domain cannot be created, the account is deleted again.
    public function createAccount(Server_Account $account): bool
    {
        $domain = $this->domainOf($account);
        $limits = $this->limits($account->getPackage());
        $password = (string) $account->getPassword();
        $id = $this->claimAccount($account, $limits['max_mailboxes']);
        if ($this->ownsDomain($id, $domain)) {
            $this->setPassword($id, $domain, $password);
            $this->setLimits($id, $domain, $limits);
            return true;
        }
        $this->refuseOtherDomains($id, $account);
        try {
            $this->createDomain($id, $domain, $password, $limits);
        } catch (Server_Exception $error) {
            $this->undo($id, $account, $error);
            throw $error;
        }
        return true;
    }

    public function suspendAccount(Server_Account $account): bool
    {
        $id = rawurlencode($this->existingAccount($account)['id']);
        $this->request('POST', "/v5/accounts/subaccounts/$id/disable");
        return true;
    }

    public function unsuspendAccount(Server_Account $account): bool
    {
        $id = rawurlencode($this->existingAccount($account)['id']);
        $this->request('POST', "/v5/accounts/subaccounts/$id/enable");
        return true;
    }

    // Deletes the account with its domain and mailboxes. Does nothing if there is no such account,
    // or if the order has no username, because then it was never activated.
    public function cancelAccount(Server_Account $account): bool
    {
        if ((string) $account->getUsername() === '') {
            return true;
        }
        $found = $this->findAccount($this->accountName($account));
        if ($found === null) {
            return true;
        }
        if (!$this->ownsDomain($found['id'], $this->domainOf($account))) {
            $this->refuseOtherDomains($found['id'], $account);
        }
        $this->deleteAccount($found['id']);
        return true;
    }

    public function changeAccountPackage(Server_Account $account, Server_Package $package): bool
    {
        $limits = $this->limits($package);
        $id = $this->existingAccount($account)['id'];
        $this->setLimits($id, $this->domainOf($account), $limits);
        return true;
    }

    // Changes the password of the domain's postmaster.
    public function changeAccountPassword(Server_Account $account, string $newPassword): bool
    {
        $id = $this->existingAccount($account)['id'];
        $this->setPassword($id, $this->domainOf($account), $newPassword);
        return true;
    }

    public function changeAccountUsername(Server_Account $account, string $newUsername): never
    {
        throw new Server_Exception(
            'mailboxd cannot change the username: the account is found by it. Nothing was changed.'
        );
    }

    public function changeAccountDomain(Server_Account $account, string $newDomain): never
    {
        throw new Server_Exception(
            'mailboxd cannot rename a domain with its mailboxes. Nothing was changed. Order the '
            . 'new domain, move the mail, and cancel this order.'
        );
    }

    public function changeAccountIp(Server_Account $account, string $newIp): never
    {
        throw new Server_Exception(
            'mailboxd gives its domains no IP addresses of their own. Nothing was changed.'
        );
    }

    // Creates the order's account, or returns the one that an earlier attempt of the same client
    // for the same domain has created. A client can order a domain that another client has, so the
    // name alone does not prove who owns the account. The idempotency key does: for a day, the
    // server answers it with the account that was created under it. Throws if the account is
    // another client's.
    private function claimAccount(Server_Account $account, string $maxMailboxes): string
    {
        $name = $this->accountName($account);
        $fields = ['name' => $name, 'max_mailboxes' => $maxMailboxes, 'max_domains' => 1];
        $order = [$name, $this->domainOf($account), $account->getClient()?->getEmail(), $fields];
        for ($attempt = 0; $attempt < self::MOST_ATTEMPTS; $attempt++) {
            $key = 'create-account-' . hash_hmac('sha256', json_encode($order), $this->key());
            try {
                $answer = $this->request('POST', '/v5/accounts/subaccounts', $fields, '', $key);
                $id = $this->idOf($answer['subaccount'] ?? null);
                if ($this->isAccount($id)) {
                    return $id;
                }
                $outdated = $id;
            } catch (Server_Exception $error) {
                if ($error->getCode() !== 409 || $this->findAccount($name) !== null) {
                    throw $error;
                }
                $outdated = 'refused';
            }
            // The server has repeated the answer of an earlier attempt, whose account was deleted
            // since. The next key is made of that answer, so every attempt makes the same keys.
            $order[] = $outdated;
        }
        throw new Server_Exception(
            "The account $name was created and deleted too often today. Try again tomorrow."
        );
    }

    private function createDomain(string $id, string $domain, string $password, array $limits): void
    {
        $fields = ['name' => $domain, 'smtp_password' => $password] + $limits;
        $key = 'create-domain-' . bin2hex(random_bytes(16));
        try {
            $this->request('POST', '/v3/domains', $fields, $id, $key);
        } catch (Server_Exception $error) {
            // Another request for the same order may have created the domain just now.
            if ($error->getCode() !== 409 || !$this->ownsDomain($id, $domain)) {
                throw $error;
            }
            $this->setPassword($id, $domain, $password);
        }
    }

    // Deletes the new account. If that fails, throws an exception that names both reasons.
    private function undo(string $id, Server_Account $account, Server_Exception $reason): void
    {
        try {
            $this->deleteAccount($id);
        } catch (Server_Exception $error) {
            throw new Server_Exception(
                $reason->getMessage() . ' The account ' . $this->accountName($account)
                . ' may be left: ' . $error->getMessage() . ' Activate the order again.',
                [],
                (int) $reason->getCode()
            );
        }
    }

    private function deleteAccount(string $id): void
    {
        try {
            $this->request('DELETE', '/v5/accounts/subaccounts?with_mailboxes=yes', [], $id);
        } catch (Server_Exception $error) {
            if ($error->getCode() !== 404) {
                throw $error;
            }
        }
    }

    private function setLimits(string $id, string $domain, array $limits): void
    {
        $fields = ['max_mailboxes' => $limits['max_mailboxes']];
        $this->request('PUT', '/v5/accounts/subaccounts/' . rawurlencode($id), $fields);
        $this->request('PUT', '/v3/domains/' . rawurlencode($domain), $limits, $id);
    }

    private function setPassword(string $id, string $domain, string $password): void
    {
        $path = '/v3/' . rawurlencode($domain) . '/mailboxes/postmaster';
        $this->request('PUT', $path, ['password' => $password], $id);
    }

    private function ownsDomain(string $id, string $domain): bool
    {
        return $this->exists('/v3/domains/' . rawurlencode($domain), $id);
    }

    private function isAccount(string $id): bool
    {
        return $this->exists('/v5/accounts/subaccounts/' . rawurlencode($id));
    }

    private function exists(string $path, string $account = ''): bool
    {
        try {
            $this->request('GET', $path, [], $account);
            return true;
        } catch (Server_Exception $error) {
            if ($error->getCode() === 404) {
                return false;
            }
            throw $error;
        }
    }

    // Throws if the account has a domain. The caller knows that it is not the order's domain.
    private function refuseOtherDomains(string $id, Server_Account $account): void
    {
        $domains = $this->request('GET', '/v3/domains?limit=1', [], $id);
        if (($domains['total_count'] ?? 0) > 0) {
            throw new Server_Exception(
                'The account ' . $this->accountName($account) . ' has other domains, but not '
                . $this->domainOf($account) . '. Nothing was changed. Correct the username or the '
                . 'domain of the order.'
            );
        }
    }

    // Returns the account of this name; null if there is none.
    private function findAccount(string $name): ?array
    {
        $parameters = ['filter' => $name, 'sort' => 'asc'];
        $accounts = $this->pages('/v5/accounts/subaccounts', $parameters, 'subaccounts', 'total');
        foreach ($accounts as $account) {
            if (($account['name'] ?? '') === $name) {
                return ['id' => $this->idOf($account)] + $account;
            }
        }
        return null;
    }

    private function existingAccount(Server_Account $account): array
    {
        $name = $this->accountName($account);
        $found = $this->findAccount($name);
        if ($found === null) {
            throw new Server_Exception("There is no account $name. Activate the order first.");
        }
        return $found;
    }

    // Returns the domain's item of the usage, which has `mailboxes` and `size_bytes`.
    private function usage(string $id, string $domain): array
    {
        $parameters = ['by' => 'domain'];
        foreach ($this->pages('/v1/usage', $parameters, 'items', 'total_count', $id) as $item) {
            if ($this->asciiDomain((string) $item['domain']) === $this->asciiDomain($domain)) {
                return $item;
            }
        }
        throw new Server_Exception("The order's account has no domain $domain.");
    }

    private function accountName(Server_Account $account): string
    {
        $name = (string) $account->getUsername();
        if ($name === '') {
            throw new Server_Exception(
                'The order has no username, by which its account is found. Enter one first.'
            );
        }
        return $name;
    }

    private function domainOf(Server_Account $account): string
    {
        $domain = (string) $account->getDomain();
        if ($domain === '') {
            throw new Server_Exception('The order has no domain.');
        }
        return $domain;
    }

    // Returns the limits of a hosting plan, as the server takes them.
    private function limits(Server_Package $package): array
    {
        $mailboxes = $this->number('number of mailboxes (POP accounts)', $package->getMaxPop());
        if ($mailboxes === '0') {
            throw new Server_Exception(
                'The plan has 0 mailboxes (POP accounts); it needs 1 or more, or unlimited.'
            );
        }
        $megabytes = (int) $this->number('quota', $package->getQuota());
        return [
            'max_mailboxes' => $mailboxes === '' ? 'none' : $mailboxes,
            'quota_bytes' => $megabytes === 0 ? 'none' : $megabytes * 1024 * 1024,
        ];
    }

    // Returns a number of the plan as digits; empty if there is no limit.
    private function number(string $name, ?string $value): string
    {
        $value = strtolower(trim((string) $value));
        if ($value === '' || $value === 'unlimited' || $value === 'none') {
            return '';
        }
        if (!preg_match('/^[0-9]{1,9}$/D', $value)) {
            throw new Server_Exception(
                "The plan's $name is '$value'; it must be a whole number, or unlimited."
            );
        }
        return (string) (int) $value;
    }

    private function key(): string
    {
        $key = trim((string) ($this->_config['accesshash'] ?: $this->_config['password']));
        if ($key === '') {
            throw new Server_Exception('The server has no operator key: enter it in its settings.');
        }
        return $key;
    }

    private function serverUrl(): string
    {
        $host = trim((string) ($this->_config['host'] ?: $this->_config['ip']));
        if ($host === '') {
            throw new Server_Exception('The server has no hostname: enter it in its settings.');
        }
        $port = (int) $this->_config['port'];
        return ($this->_config['secure'] ? 'https://' : 'http://')
            . (str_contains($host, ':') ? "[$host]" : $host)
            . ($port > 0 ? ":$port" : '');
    }

    // Throws if the key would be sent to another machine as plain text.
    private function requireSecureConnection(string $url): void
    {
        $host = parse_url($url, PHP_URL_HOST);
        $isHere = in_array($host, ['localhost', '127.0.0.1', '[::1]'], true);
        if (!$this->_config['secure'] && !$isHere) {
            throw new Server_Exception(
                "The connection to $host is not secure, so the operator key was not sent. Select "
                . 'the secure connection in the settings of the server.'
            );
        }
    }

    // Yields all items of a list, page by page; those of one account, if its id is given.
    private function pages(
        string $path,
        array $parameters,
        string $items,
        string $total,
        string $account = ''
    ): iterable {
        for ($skip = 0;; $skip += self::PAGE) {
            $query = http_build_query($parameters + ['limit' => self::PAGE, 'skip' => $skip]);
            $page = $this->request('GET', "$path?$query", [], $account);
            yield from $page[$items] ?? [];
            if ($skip + self::PAGE >= ($page[$total] ?? 0)) {
                return;
            }
        }
    }

    // Sends a request and returns the decoded answer. Throws Server_Exception for every status
    // other than 200; its code is the status, 0 if there was no answer. A request whose answer is
    // lost is sent once more: a POST that creates something has an idempotency key, and all others
    // can be repeated.
    private function request(
        string $method,
        string $path,
        array $fields = [],
        string $account = '',
        string $idempotencyKey = ''
    ): array {
        $url = $this->serverUrl();
        $key = $this->key();
        $this->requireSecureConnection($url);
        $headers = ['Accept: application/json'];
        if ($account !== '') {
            $headers[] = 'X-Mailgun-On-Behalf-Of: ' . $account;
        }
        if ($idempotencyKey !== '') {
            $headers[] = 'Idempotency-Key: ' . $idempotencyKey;
        }
        $options = [
            CURLOPT_URL => $url . $path,
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_HTTPHEADER => $headers,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_HTTPAUTH => CURLAUTH_BASIC,
            CURLOPT_USERPWD => 'api:' . $key,
            CURLOPT_CONNECTTIMEOUT => self::CONNECT_SECONDS,
            CURLOPT_TIMEOUT => self::ANSWER_SECONDS,
            CURLOPT_FOLLOWLOCATION => false,
            CURLOPT_SSL_VERIFYPEER => true,
            CURLOPT_SSL_VERIFYHOST => 2,
        ];
        if ($method === 'POST' || $method === 'PUT') {
            $options[CURLOPT_POSTFIELDS] = http_build_query($fields);
        }
        for ($isRepeated = false;; $isRepeated = true) {
            $curl = curl_init();
            curl_setopt_array($curl, $options);
            $body = curl_exec($curl);
            $status = (int) curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
            $failure = curl_errno($curl);
            $isLost = $failure ? in_array($failure, self::LOST_ANSWERS, true)
                : in_array($status, self::GATEWAY_ERRORS, true);
            if (!$isLost || $isRepeated) {
                break;
            }
            sleep(1);
        }
        $secrets = [$key, $fields['password'] ?? '', $fields['smtp_password'] ?? ''];
        if ($failure) {
            $message = "No answer from $url: " . curl_error($curl) . '.';
            throw new Server_Exception($this->clean($message, $secrets));
        }
        $answer = json_decode((string) $body, true);
        if ($status === 200 && is_array($answer)) {
            return $answer;
        }
        $message = is_string($answer['message'] ?? null) ? $answer['message']
            : "$url does not answer like mailboxd";
        $message .= is_string($answer['code'] ?? null) ? " ({$answer['code']})"
            : " (status $status)";
        throw new Server_Exception($this->clean($message, $secrets), [], $status);
    }

    // Removes the secrets from a text. The server does not send them; a proxy's error page might.
    private function clean(string $text, array $secrets): string
    {
        // A shorter password is refused by the server, and would match ordinary words.
        $secrets = array_filter($secrets, fn($secret) => strlen($secret) >= 5);
        return str_replace($secrets, '********', $text);
    }

    private function idOf(mixed $account): string
    {
        $id = is_array($account) ? (string) ($account['id'] ?? '') : '';
        if ($id === '') {
            throw new Server_Exception('The server named no id of the account.');
        }
        return $id;
    }

    private function asciiDomain(string $domain): string
    {
        $ascii = function_exists('idn_to_ascii') ? idn_to_ascii($domain) : $domain;
        return strtolower($ascii ?: $domain);
    }
}
