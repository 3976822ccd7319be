# Where the tools of this project stand on this machine. Sourced by the other scripts; POSIX sh.
# Every find_* prints a path and returns 0, or prints nothing and returns 1.
# shellcheck shell=sh

# A Rust installed by rustup is not on the PATH of a shell that has not been opened anew.
if ! command -v cargo >/dev/null 2>&1 && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
    PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
    export PATH
fi

# The folder that holds initdb, postgres and pg_ctl: PGBIN if set, else PATH, else the newest of the
# places where distributions keep them off the PATH.
find_pgbin() {
    if [ -n "${PGBIN:-}" ]; then
        is_pgbin "$PGBIN" && printf '%s\n' "$PGBIN"
        return
    fi
    find_pgbin_dir=$(command -v postgres 2>/dev/null) && find_pgbin_dir=$(dirname "$find_pgbin_dir") &&
        is_pgbin "$find_pgbin_dir" && printf '%s\n' "$find_pgbin_dir" && return
    find_pgbin_dir=$(
        for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/libexec/postgresql*/ \
            /usr/lib/postgresql*/bin /usr/local/pgsql*/bin /opt/homebrew/opt/postgresql*/bin \
            /usr/local/opt/postgresql*/bin /Applications/Postgres.app/Contents/Versions/*/bin; do
            if is_pgbin "${dir%/}"; then
                printf '%s %s\n' "$("${dir%/}/postgres" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')" "${dir%/}"
            fi
        done | sort -n | tail -n 1 | cut -d ' ' -f 2-
    )
    [ -n "$find_pgbin_dir" ] && printf '%s\n' "$find_pgbin_dir"
}

is_pgbin() {
    [ -x "$1/initdb" ] && [ -x "$1/postgres" ] && [ -x "$1/pg_ctl" ]
}

# A client program of PostgreSQL (psql, pgbench): on the PATH, else beside the server's binaries.
find_pg_client() {
    command -v "$1" 2>/dev/null && return
    find_client_dir=$(find_pgbin) && [ -x "$find_client_dir/$1" ] && printf '%s\n' "$find_client_dir/$1"
}

# libclang's shared library, in the places and the order in which bindgen looks for it.
find_libclang() {
    if [ -f "${LIBCLANG_PATH:-}" ]; then
        printf '%s\n' "$LIBCLANG_PATH"
        return
    fi
    find_libclang_prefix=$("${LLVM_CONFIG_PATH:-llvm-config}" --prefix 2>/dev/null) || find_libclang_prefix=/usr/lib/llvm
    find_libclang_ifs=$IFS
    IFS=:
    for dir in "${LIBCLANG_PATH:-}" "$find_libclang_prefix/lib" "$find_libclang_prefix/lib64" ${LD_LIBRARY_PATH:-} \
        /usr/local/llvm*/lib* /usr/local/lib*/*/* /usr/local/lib*/* /usr/local/lib* /usr/lib*/*/* /usr/lib*/* /usr/lib* \
        /opt/homebrew/opt/llvm*/lib /usr/local/opt/llvm*/lib /Library/Developer/CommandLineTools/usr/lib \
        /Applications/Xcode.app/Contents/Developer/Toolchains/XcodeDefault.xctoolchain/usr/lib; do
        IFS=$find_libclang_ifs
        for file in "$dir"/libclang.so "$dir"/libclang-[0-9]*.so "$dir"/libclang.so.* "$dir"/libclang-[0-9]*.so.* \
            "$dir"/libclang.dylib; do
            if [ -f "$file" ]; then
                printf '%s\n' "$file"
                return 0
            fi
        done
    done
    IFS=$find_libclang_ifs
    return 1
}

# clang's own headers (stddef.h and its kin), which libclang needs besides the system's.
find_clang_headers() {
    for dir in "$(dirname "${1:-/}")"/clang/* "$(dirname "${1:-/}")"/../lib/clang/* /usr/lib/llvm*/lib/clang/* \
        /usr/lib*/clang/* /usr/local/lib*/clang/* /usr/local/llvm*/lib*/clang/* /opt/homebrew/opt/llvm*/lib/clang/* \
        /usr/local/opt/llvm*/lib/clang/* /Library/Developer/CommandLineTools/usr/lib/clang/* \
        /Applications/Xcode.app/Contents/Developer/Toolchains/XcodeDefault.xctoolchain/usr/lib/clang/*; do
        if [ -f "$dir/include/stddef.h" ]; then
            printf '%s\n' "$dir/include"
            return 0
        fi
    done
    return 1
}

# A Chromium or Chrome that can be driven without a screen.
find_browser() {
    for browser in chromium chromium-browser google-chrome google-chrome-stable chrome; do
        command -v "$browser" 2>/dev/null && return
    done
    for browser in "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" \
        /Applications/Chromium.app/Contents/MacOS/Chromium; do
        [ -x "$browser" ] && printf '%s\n' "$browser" && return
    done
    return 1
}

find_pgbouncer() {
    command -v pgbouncer 2>/dev/null && return
    [ -x /usr/sbin/pgbouncer ] && printf '%s\n' /usr/sbin/pgbouncer
}

find_haproxy() {
    command -v haproxy 2>/dev/null && return
    [ -x /usr/sbin/haproxy ] && printf '%s\n' /usr/sbin/haproxy
}

# PostgreSQL's JDBC driver: PGJDBC if set, else where distributions keep Java's libraries.
find_pgjdbc() {
    if [ -n "${PGJDBC:-}" ]; then
        [ -f "$PGJDBC" ] && printf '%s\n' "$PGJDBC"
        return
    fi
    for jar in /usr/share/java/postgresql.jar /usr/share/java/postgresql-jdbc.jar \
        /usr/share/java/postgresql-jdbc/postgresql.jar; do
        [ -f "$jar" ] && printf '%s\n' "$jar" && return
    done
    return 1
}
