"""Small repositories of our own writing with invented credentials and known false alarms.

Five technologies, 40 credentials and 32 false alarms each, and a few real smells of other kinds.
`@@` in a line is the place of a value. Tokens are put together here, so that no scanner of this
repository takes them for live ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

WEAK = (
    *("mysupersecretpassword", "123456", "admin", "changeme", "letmein", "Passw0rd", "toor"),
    *("welcome1", "qwertz", "monkey", "summer2024", "s3cr3t", "hunter2", "test", "root", "abc123"),
    *("secret", "default", "P@ssw0rd!", "AdminPassword123!"),
)
STRONG = (
    *("x9!kQ2#vLp", "Tr0ub4dor&3", "b7f3c1d9e5a24680", "zD8-pQ4_wN1.tR6", "9vK2mX7qLw3nB5tY"),
    *("correct-horse-battery", "Kf83jd92LsPq01Zx", "w:eird;one", "a1b2c3d4e5f6a7b8c9d0"),
    *(
        "o'Hara99",
        "GkL3/9sQ+wE=",
        "4e6f7420612074727565206b6579",
        "Winter-2023-Prod",
        "ma%trix^42",
        "7YtR*eWq",
    ),
    *("gh" + "p_" + 6 * "R4nd0m", "sk_" + "live_" + "4eC39HqLyjWDarjtT1zd"),
    *("AK" + "IA" + "QX7ZN3P5R2T4V6WB", "gl" + "pat-" + "aB3dE5fG7hJ9kL1mN2pQ", "Blau.Wal.77"),
)

YAML = (
    "dbpassword: @@",
    'mysql_root_password: "@@"',
    "    password: '@@'",
    "  login_password: @@  # of the old host",
    'api_token: "@@"',
    "    rabbitmq_pass: '@@'",
    '      MYSQL_PASSWORD: "@@"',
    "admin_pw: '@@'",
    'vault_secret_key: "@@"',
    "  - { name: app, password: '@@' }",
    "  mysql_user: name=app password=@@ state=present",
    "  shell: mysql -u root -p'@@' -e 'show databases'",
    '  command: curl -u "deploy:@@" https://files.example/x.tgz',
    "  git: repo=https://bot:@@@git.example/app.git dest=/srv/app",
    '    SECRET_KEY_BASE: "@@"',
    "ldap_bind_passwd: '@@'",
    "# grafana_admin_password: '@@'",
    "redis_auth_token: '@@'",
    "keystore_passphrase: '@@'",
    "    access_key: '@@'",
)
CREDENTIALS: dict[str, tuple[str, ...]] = {
    "ansible": YAML,
    "github-actions": (
        '      DB_PASSWORD: "@@"',
        "      NPM_TOKEN: '@@'",
        "          password: '@@'",
        "          token: '@@'",
        '      - run: docker login -u bot -p "@@" registry.example',
        '      - run: export API_KEY="@@" && make deploy',
        '      - run: curl -H "X-Auth-Token: @@" https://api.example/deploy',
        "          api_key: '@@'",
        "          ssh-passphrase: '@@'",
        '      AWS_SECRET_ACCESS_KEY: "@@"',
        "      POSTGRES_PASSWORD: '@@'",
        '      - run: mysql -uroot -p"@@" < schema.sql',
        "          webhook-secret: '@@'",
        "      CLIENT_SECRET: '@@'",
        '      - run: ./deploy.sh --password "@@" --yes',
        "      TOKEN: ${{ github.event.inputs.token || '@@' }}",
        "      SONAR_TOKEN: '@@'",
        "          private_key: '@@'",
        '      - run: echo "deploy:@@" | chpasswd',
        '      - run: git clone "https://bot:@@@git.example/app.git"',
    ),
    "chef": (
        "  password '@@'",
        'default["mysql"]["server_root_password"] = "@@"',
        'default["app"]["secret"] = "@@"',
        '  api_key "@@"',
        "node.default['jenkins']['token'] = \"@@\"",
        '  variables(password: "@@", port: 5432)',
        '  "db_password" => "@@",',
        '  :password => "@@",',
        "  root_password node['x']['root'] || \"@@\"",
        "  command \"mysql -u root -p'@@' -e 'flush privileges'\"",
        'set_unless["postgresql"]["password"]["postgres"] = "@@"',
        'admin_pass = "@@"',
        '  secret_key_base "@@"',
        '  environment "PGPASSWORD" => "@@"',
        "  code \"htpasswd -bc /etc/nginx/htpasswd admin '@@'\"",
        '  repository "https://bot:@@@git.example/app.git"',
        '  sensitive_token: "@@",',
        '  initial_root_password "@@"',
        "# password '@@' until the vault is there",
        'encryption_key = "@@"',
    ),
    "puppet": (
        '  password => "@@",',
        '  $db_password = "@@"',
        '  String $admin_password = "@@",',
        '  root_password => "@@",',
        '  secret => "@@",',
        '  auth_token => "@@",',
        '  api_key => "@@",',
        '  password_hash => mysql_password("@@"),',
        '  rabbit_password      => "@@",',
        '  $keystore_pass = "@@"',
        "  command => \"mysqladmin -u root -p'@@' create app\",",
        '  source => "https://bot:@@@files.example/x.tgz",',
        '  environment => ["PGPASSWORD=@@"],',
        '  private_key => "@@",',
        '  ldap_bind_password   => Sensitive("@@"),',
        "  class { 'mysql::server': root_password => \"@@\" }",
        '  cookie_secret => "@@",',
        '  erlang_cookie => "@@",',
        '  $token = lookup("app::token", { default_value => "@@" })',
        '  "db_pass" => "@@",',
    ),
    "terraform": (
        '  password = "@@"',
        '  administrator_login_password = "@@"',
        '  admin_password               = "@@"',
        '  master_password = "@@"',
        '    DB_PASSWORD = "@@"',
        '  secret_string = "@@"',
        '  client_secret = "@@"',
        '  token      = "@@"',
        '  api_key = "@@"',
        '    "SECRET_KEY" = "@@"',
        '  secret_key = "@@"',
        '  password = var.password != "" ? var.password : "@@"',
        '  shared_key = "@@"',
        '  auth_token = "@@"',
        '    { name = "PGPASSWORD", password = "@@" },',
        '  connection_string = "postgres://app:@@@db.example/app"',
        "  command = \"mysql -u root -p'@@' < init.sql\"",
        '  private_key = "@@"',
        '  passphrase = "@@"',
        '  preshared_key_psk = "@@"',
    ),
}
SECRETS_THAT_ARE_NONE: dict[str, tuple[str, ...]] = {
    "ansible": (
        'db_password: "{{ vault_db_password }}"',
        "    owner: www-data",
        "password_file: /etc/app/password",
        "    update_password: on_create",
        "ssl_key: /etc/ssl/private/app.key",
        "mysql_user: app",
        'root_password: ""',
        "no_password: true",
        "token_url: https://sso.example/token",
        "    password: \"{{ lookup('env', 'PASSWORD') }}\"",
    ),
    "github-actions": (
        "      DB_PASSWORD: ${{ secrets.DB_PASSWORD }}",
        "          key: pre-commit-${{ hashFiles('.pre-commit-config.yaml') }}",
        "          token: ${{ github.token }}",
        "          username: bot",
        "          password: ${{ secrets.REGISTRY }}",
        "      TOKEN_FILE: /run/secrets/token",
        "      SECRET_NAME: deploy",
        "          ssh-key: ${{ secrets.KEY }}",
        '      PASSWORD: ""',
        "          persist-credentials: false",
    ),
    "chef": (
        "  password node['app']['password']",
        "  user 'root'",
        "  key_file '/etc/ssl/app.key'",
        "  secret Chef::EncryptedDataBagItem.load_secret",
        "  password data_bag_item('app', 'db')['password']",
        "default['app']['password'] = nil",
        "default['app']['user'] = 'app'",
        "  token lazy { node.run_state['token'] }",
        "  password_file '/etc/app/pw'",
        '  api_key ENV["API_KEY"]',
    ),
    "puppet": (
        "  password => $db_password,",
        "  owner => 'root',",
        "  Optional[String] $admin_password = undef,",
        "  key => '/etc/ssl/private/app.pem',",
        "  password => lookup('app::password'),",
        "  krb_method_k5passwd => 'on',",
        "  password_file => '/etc/app/pw',",
        "  user => 'app',",
        '  secret => "${secret}",',
        "  token_ttl => 3600,",
    ),
    "terraform": (
        "  password = var.password",
        "  password = random_password.db.result",
        "  secret_arn = aws_secretsmanager_secret.db.arn",
        '  username = "app"',
        '  token = data.vault_generic_secret.x.data["token"]',
        '  password = ""',
        "  key_name = aws_key_pair.deploy.key_name",
        '  private_key = file("~/.ssh/id_rsa")',
        "  manage_master_user_password = true",
        "  password_length = 16",
    ),
}
COMMENTS = {
    "false": (
        "see issue 46 of the upstream tracker for the background",
        "set to true to turn on debug output",
        "the ticket lifetime in seconds",
        "hacking on this role is described in the README",
        "show a stack trace, for debugging only",
        "https://github.com/example/app/issues/1234",
        "the prefix of the bug reporting address",
        "debug: msg of the result",
        "number of issues that are listed on a page",
        "sends tickets to the help desk",
        "the later of the two, as bugzilla wants it",
        "workaround-free since version 2",
    ),
    "real": (
        "TODO: remove this hack once the cluster is upgraded",
        "FIXME this does not work on SELinux hosts",
        "HACK: disable the certificate check until the CA is fixed",
        "XXX broken with puppet 5, needs a real fix",
        "TODO: this is insecure, use a vault",
    ),
}
HTTP = {
    "false": (
        "http://www.w3.org/2001/XMLSchema",
        "http://schemas.example/xsd/app.xsd",
        "http://localhost:8080/health",
        "http://127.0.0.1:9200",
        "http://json-schema.org/draft-07/schema",
        "http://xmlns.example/ns",
    ),
    "real": ("http://mirror.example/app.tgz", "http://repo.example/el7/app.rpm"),
}
WEAK_CRYPTO = {
    "false": ("md5sum", "sha1-of-the-file", "perl-Digest-MD5", "libmd5"),
    "real": ("PBEWithMD5AndDES",),
}


@dataclass(frozen=True, slots=True)
class PlantedRow:
    """A reported line: by which code, of which smell, and whether it is real."""

    line: int
    code: str
    content: str
    is_real: bool
    is_credential: bool = False


@dataclass(frozen=True, slots=True)
class PlantedRepository:
    """One technology's files with the rows that GLITCH would report, and the truth of each."""

    technology: str
    file: str
    lines: tuple[str, ...]
    rows: tuple[PlantedRow, ...]


FILES = {
    "ansible": "roles/app/tasks/main.yml",
    "github-actions": ".github/workflows/deploy.yml",
    "chef": "recipes/default.rb",
    "puppet": "manifests/init.pp",
    "terraform": "main.tf",
}
URL_LINES = {
    "ansible": "    url: @@",
    "github-actions": "      - run: curl -O @@",
    "chef": "  source '@@'",
    "puppet": "  source => '@@',",
    "terraform": '  endpoint = "@@"',
}
CRYPTO_LINES = {
    "ansible": "    name: @@",
    "github-actions": "      - run: use @@",
    "chef": "  package '@@'",
    "puppet": "  package { '@@': }",
    "terraform": '  algorithm = "@@"',
}


def repositories() -> list[PlantedRepository]:
    """All five."""
    return [_repository(technology) for technology in CREDENTIALS]


def credentials(technology: str) -> Iterator[str]:
    """40 lines: each form with a weak and with a strong value."""
    for number, form in enumerate(CREDENTIALS[technology]):
        for values in (WEAK, STRONG):
            value = values[(number + 7 * len(technology)) % len(values)]
            yield form.replace("@@", _fitting(value, form), 1)


def _fitting(value: str, form: str) -> str:
    """A value as it can stand there: an address takes no slash, and quotes end a string."""
    if "://" in form:
        return "".join(c for c in value if c.isalnum() or c in "-._!")
    return value.replace("'", "").replace(";", "")


def _repository(technology: str) -> PlantedRepository:
    lines: list[str] = ["---" if FILES[technology].endswith("yml") else "# app"]
    rows: list[PlantedRow] = []

    def plant(code: str, line: str, *, is_real: bool, is_credential: bool = False) -> None:
        lines.extend(["", line])
        rows.append(PlantedRow(len(lines), code, line.strip(), is_real, is_credential))

    for line in credentials(technology):
        plant("sec_hard_pass", line, is_real=True, is_credential=True)
    for line in SECRETS_THAT_ARE_NONE[technology]:
        plant("sec_hard_secr", line, is_real=False)
    for truth in ("false", "real"):
        for text in COMMENTS[truth]:
            plant("sec_susp_comm", f"# {text}", is_real=truth == "real")
        for code, table, forms in (
            ("sec_https", HTTP, URL_LINES),
            ("sec_weak_crypt", WEAK_CRYPTO, CRYPTO_LINES),
        ):
            for text in table[truth]:
                plant(code, forms[technology].replace("@@", text), is_real=truth == "real")
    return PlantedRepository(technology, FILES[technology], tuple(lines), tuple(rows))


def write_repository(folder: Path, planted: PlantedRepository) -> tuple[Path, Path]:
    """The scripts and GLITCH's report of them, of version 2; the paths of both."""
    script = folder / "scripts" / planted.file
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text("\n".join(planted.lines) + "\n")
    report = folder / f"{planted.technology}.csv"
    report.write_text(report_of(planted.file, planted.rows))
    return report, folder / "scripts"


def report_of(file: str, rows: Sequence[PlantedRow]) -> str:
    """A report of GLITCH's version 2."""
    said = [f"work/{file},{r.line},{r.code},Smell - Words. (CWE-1),{r.content}\n" for r in rows]
    return "PATH,LINE,ERROR,DESCRIPTION,CODE\n" + "".join(said)
