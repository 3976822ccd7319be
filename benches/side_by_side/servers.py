"""What is measured: a scratch PostgreSQL, and the proxies in front of it, all on free ports of 127.0.0.1."""

import contextlib
import os
import pathlib
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HOST = "127.0.0.1"
REPO = pathlib.Path(__file__).resolve().parent.parent.parent
# Connections that a proxy may have to the server, and keep: more than any workload needs.
CONNECTIONS = 100
ALLOW_ALL = 'default_groups = ["dba"]\n[[rule]]\nname = "everything passes"\nthen = "allow"\n'


def note(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def give_up(text):
    sys.exit(f"bench: {text}")


def find(function, *arguments):
    """What a function of find.sh prints."""
    script = '. "$0"; "$@"'
    done = subprocess.run(["sh", "-c", script, str(REPO / "scripts/find.sh"), function, *arguments],
                          capture_output=True, text=True, check=False)
    found = done.stdout.strip()
    if not found:
        give_up(f"cannot find {' '.join([*arguments, function])}; run scripts/setup --with-bench")
    return found


def build():
    note("building holdpoint in release mode")
    subprocess.run(["cargo", "build", "--release", "--locked", "--bin", "holdpoint"], cwd=REPO, check=True)
    metadata = subprocess.run(["cargo", "metadata", "--format-version", "1", "--no-deps", "--locked"],
                              cwd=REPO, check=True, capture_output=True, text=True).stdout
    return pathlib.Path(re.search(r'"target_directory":"([^"]*)"', metadata).group(1)) / "release/holdpoint"


def free_port():
    with socket.socket() as s:
        s.bind((HOST, 0))
        return s.getsockname()[1]


def clean_environment():
    """Without what was meant for another PostgreSQL or another holdpoint."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PG", "HOLDPOINT_"))}


class Servers:
    """The scratch folder and everything that runs in it. `targets` are the names that can be measured."""

    def __init__(self, binary, cores, scale, max_clients, only=None, wrapper=(), tls=False, shared_store=False, before=None):
        """`wrapper`: a command that is to run holdpoint, as in ["valgrind"]. `tls`: clients encrypt; a proxy's connection
        to the server stays plain. `shared_store`: holdpoints keep their store in a PostgreSQL of its own, which syncs. `before`: another build,
        for the target of that name."""
        self.before = before and before.resolve()
        self.tls = tls
        self.shared_store = shared_store
        self.binary, self.cores, self.scale, self.wrapper = binary, cores, scale, wrapper
        self.connections = max(CONNECTIONS, max_clients) + 10
        self.processes, self.pids = [], {}
        self.password, self.client_password = secrets.token_hex(16), secrets.token_hex(16)
        self.targets = ["direct", "haproxy", "pgbouncer", "holdpoint", "holdpoint, all allowed"]
        if only:
            self.targets = ["direct", *only]
        self.ports = {name: free_port() for name in self.targets}
        self.console_ports = {}
        self.pgbin = pathlib.Path(find("find_pgbin"))
        self.pgbench, self.psql = find("find_pg_client", "pgbench"), find("find_pg_client", "psql")
        if "pgbouncer" in self.targets:
            self.pgbouncer = find("find_pgbouncer")
        if "haproxy" in self.targets:
            self.haproxy = find("find_haproxy")
        # PostgreSQL and pgbouncer refuse to run as root.
        self.drop = {}
        if os.getuid() == 0:
            names = {entry.pw_name: entry for entry in pwd.getpwall()}
            user = names.get("postgres") or names["nobody"]
            self.drop = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="holdpoint-bench-"))
        try:
            self.folder.chmod(0o711)
            if self.tls:
                self.make_certificate()
            self.start_postgres()
            if self.shared_store:
                self.start_store()
            starts = {
                "haproxy": self.start_haproxy,
                "pgbouncer": self.start_pgbouncer,
                "holdpoint": lambda: self.start_holdpoint("holdpoint", lambda to: shutil.copytree(REPO / "policies", to)),
                "holdpoint, all allowed": lambda: self.start_holdpoint(
                    "holdpoint, all allowed", lambda to: (to.mkdir(), (to / "all.toml").write_text(ALLOW_ALL))),
                "holdpoint, recording": lambda: self.start_holdpoint(
                    "holdpoint, recording", lambda to: shutil.copytree(REPO / "policies", to), "[audit]\nfile = 'audit.jsonl'\n"),
            }
            starts["holdpoint, before"] = lambda: self.start_holdpoint(
                "holdpoint, before", lambda to: shutil.copytree(REPO / "policies", to), binary=self.before)
            starts["holdpoint, beside"] = lambda: self.start_holdpoint(
                "holdpoint, beside", lambda to: shutil.copytree(REPO / "policies", to))
            for target in self.targets[1:]:
                starts[target]()
            rest = os.sched_getaffinity(0) - self.cores
            if rest:
                os.sched_setaffinity(0, rest)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for sig in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sig, signal.SIG_IGN)
        for process in reversed(self.processes):
            # To PostgreSQL: end without waiting for clients.
            process.send_signal(signal.SIGINT if process is self.processes[0] else signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def spawn(self, name, command, drop=None):
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.folder,
                                       env=clean_environment(), start_new_session=True,
                                       preexec_fn=lambda: os.sched_setaffinity(0, self.cores), **(drop or {}))
        self.processes.append(process)
        self.pids[name] = process.pid
        end = time.monotonic() + 30
        while time.monotonic() < end and process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection((HOST, self.ports.get(name, self.ports["direct"])), 1):
                return
            time.sleep(0.05)
        give_up(f"{name} did not start:\n{log.read_text()[-2000:]}")

    def own_folder(self, name):
        own = self.folder / name.replace(", ", "-").replace(" ", "-")
        own.mkdir(mode=0o700)
        return own

    def give_away(self, *paths):
        if self.drop:
            for path in paths:
                shutil.chown(path, self.drop["user"], self.drop["group"])

    def make_certificate(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-keyout", self.folder / "server.key", "-out", self.folder / "server.crt"],
                       check=True, capture_output=True)

    def certificate_in(self, own):
        """Certificate and key, for a server that runs as somebody else."""
        files = []
        for name in ("server.crt", "server.key"):
            files.append(shutil.copy(self.folder / name, own / name))
            os.chmod(own / name, 0o600)
        self.give_away(*files)
        return files

    def make_cluster(self, name):
        """The folder of a new one, as initdb makes it."""
        own = self.own_folder(name)
        self.give_away(own)
        pwfile = own / "password"
        pwfile.write_text(self.password)
        pwfile.chmod(0o644)  # inside a folder that is the server's alone
        subprocess.run([self.pgbin / "initdb", "-D", own / "data", "-U", "bench", f"--pwfile={pwfile}", "-A", "scram-sha-256",
                        "-E", "UTF8", "--no-locale", "--no-sync"], check=True, stdout=subprocess.DEVNULL, cwd=own, **self.drop)
        return own

    def spawn_postgres(self, name, own, settings):
        flags = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        self.spawn(name, [self.pgbin / "postgres", "-D", own / "data", *flags], self.drop)

    def start_store(self):
        """A PostgreSQL for holdpoint's store: with everything as it comes, fsync too."""
        own = self.make_cluster("store")
        self.ports["store"] = free_port()
        self.spawn_postgres("store", own, {"listen_addresses": HOST, "port": self.ports["store"], "unix_socket_directories": ""})

    def start_postgres(self):
        own = self.make_cluster("pg")
        settings = {"listen_addresses": HOST, "port": self.ports["direct"], "unix_socket_directories": "",
                    "max_connections": 4 * self.connections, "shared_buffers": "256MB", "fsync": "off",
                    "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "4GB",
                    "checkpoint_timeout": "60min", "autovacuum": "off", "jit": "off",
                    "max_parallel_workers_per_gather": 0, "synchronize_seqscans": "off", "log_min_messages": "fatal"}
        if self.tls:
            cert, key = self.certificate_in(own)
            settings |= {"ssl": "on", "ssl_cert_file": cert, "ssl_key_file": key}
        self.spawn_postgres("postgres", own, settings)
        self.connect("direct", "postgres", [self.psql, "-qc", "CREATE DATABASE bench"])
        note(f"filling pgbench's tables at scale {self.scale}")
        self.connect("direct", "bench", [self.pgbench, "-i", "-q", "-s", str(self.scale)])
        # Hint bits are set and pages are warm before anything is measured.
        self.connect("direct", "bench", [self.psql, "-qc", "SELECT count(*) FROM pgbench_accounts", "-c", "CHECKPOINT"])

    def start_pgbouncer(self):
        own = self.own_folder("pgbouncer")
        # Its clients sign in by SCRAM, as holdpoint's do, with the server's own secret: then it needs no password itself.
        secret = self.value("SELECT rolpassword FROM pg_authid WHERE rolname = 'bench'")
        (own / "users.txt").write_text(f'"bench" "{secret}"\n')
        tls = ""
        if self.tls:
            cert, key = self.certificate_in(own)
            tls = f"client_tls_sslmode = require\nclient_tls_cert_file = {cert}\nclient_tls_key_file = {key}\nserver_tls_sslmode = disable"
        (own / "pgbouncer.ini").write_text(f"""
[databases]
bench = host={HOST} port={self.ports['direct']} dbname=bench
[pgbouncer]
listen_addr = {HOST}
listen_port = {self.ports['pgbouncer']}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {own}/users.txt
pool_mode = session
default_pool_size = {self.connections}
max_client_conn = {self.connections}
log_connections = 0
log_disconnections = 0
log_stats = 0
{tls}
""")
        self.give_away(own, *own.iterdir())
        self.spawn("pgbouncer", [self.pgbouncer, "-q", own / "pgbouncer.ini"], self.drop)

    def start_haproxy(self):
        own = self.own_folder("haproxy")
        (own / "haproxy.cfg").write_text(f"""
global
    nbthread 1
    maxconn {self.connections}
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
frontend f
    bind {HOST}:{self.ports['haproxy']}
    default_backend b
backend b
    server pg {HOST}:{self.ports['direct']}
""")
        self.spawn("haproxy", [self.haproxy, "-db", "-f", own / "haproxy.cfg"])

    def start_holdpoint(self, name, make_policies, more="", binary=None):
        own = self.own_folder(name)
        make_policies(own / "policies")
        (own / "upstream.password").write_text(self.password)
        (own / "upstream.password").chmod(0o600)
        config = own / "holdpoint.toml"
        tls = ""
        if self.tls:
            cert, key = self.certificate_in(own)
            tls = f"[proxy.tls]\nmode = 'require'\ncert = '{cert}'\nkey = '{key}'"
        console = self.console_ports[name] = free_port()
        config.write_text(f"""
[proxy]
listen = "{HOST}:{self.ports[name]}"
{tls}
[console]
listen = "{HOST}:{console}"
public_url = "http://{HOST}:{console}"
[store]
url = '{self.store_url(own)}'
[policy]
dir = '{own}/policies'
[databases.bench]
upstream = "postgresql://bench@{HOST}:{self.ports['direct']}/bench?sslmode=disable"
password_file = '{own}/upstream.password'
pool = {{ max_idle = {self.connections} }}
{more}""")
        # Whoever shares the store shares its users.
        is_first = not self.shared_store or name == "holdpoint"
        if is_first:
            self.add_user(config)
        self.spawn(name, [*self.wrapper, binary or self.binary, "--config", config, "serve"])

    def store_url(self, own):
        if not self.shared_store:
            return f"sqlite://{own}/holdpoint.db"
        return f"postgres://bench:{self.password}@{HOST}:{self.ports['store']}/postgres?sslmode=disable"

    def add_user(self, config):
        subprocess.run([self.binary, "--config", config, "user", "add", "bench", "--group", "bench", "--password-stdin"],
                       input=self.client_password + "\n", text=True, check=True, stdout=subprocess.DEVNULL,
                       env=clean_environment())

    # ---- connecting

    def value(self, query):
        done = subprocess.run([self.psql, "-Atqc", query], env=self.environment("direct"), capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def password_for(self, target):
        return self.client_password if target.startswith("holdpoint") else self.password

    def environment(self, target, database="bench"):
        return dict(clean_environment(), PGHOST=HOST, PGPORT=str(self.ports[target]), PGUSER="bench", PGDATABASE=database,
                    PGPASSWORD=self.password_for(target), PGSSLMODE="require" if self.tls else "disable", PGGSSENCMODE="disable")

    def connect(self, target, database, command):
        done = subprocess.run(command, env=self.environment(target, database), capture_output=True, text=True, check=False)
        if done.returncode:
            give_up(f"{' '.join(map(str, command))}: {done.stderr.strip()[-500:]}")
