package dev.mirror.snapshot.store;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Where snapshots are kept, and how to connect there. Its text shows no user and no password.
 *
 * @param topology what the hosts are
 * @param master the name by which sentinels know the master; empty for the other topologies
 * @param hosts one host, or some of the sentinels or of the cluster's nodes
 * @param tls how connections are encrypted
 * @param login for the nodes
 * @param sentinelLogin for the sentinels
 * @param database from 0; 0 for a cluster
 * @param prefix stands before every key: {@link Keys} puts it there, not the store
 */
public record StoreOptions(
        Topology topology,
        String master,
        List<Host> hosts,
        Tls tls,
        Login login,
        Login sentinelLogin,
        int database,
        String prefix) {
    /** What the hosts of a store are. */
    public enum Topology {
        /** The only node. */
        ONE,
        /** Sentinels, which know where the master is. */
        SENTINEL,
        /** Nodes of a cluster. */
        CLUSTER
    }

    /**
     * Where something listens.
     *
     * @param name a name or an address, IPv6 without brackets
     * @param port 1 to 65535
     */
    public record Host(String name, int port) {
        @Override
        public String toString() {
            return (name.indexOf(':') < 0 ? name : "[" + name + "]") + ":" + port;
        }
    }

    /**
     * How connections are encrypted. The other end's certificate must fit its host's name.
     *
     * @param on whether they are
     * @param ca the PEM file of the authorities that are trusted; the JVM's own where there is none
     * @param cert the PEM file of our certificate and those between it and its authority; there with {@code key} only
     * @param key the PEM file of our certificate's private key, in PKCS#8
     */
    public record Tls(boolean on, Optional<Path> ca, Optional<Path> cert, Optional<Path> key) {}

    /**
     * Who we are. Its text shows neither.
     *
     * @param user empty for the default user
     * @param password empty where none is asked for
     */
    public record Login(String user, String password) {
        /** Nobody: the store asks for no password. */
        public static final Login NONE = new Login("", "");

        @Override
        public String toString() {
            return password.isEmpty() ? "nobody" : "somebody";
        }
    }

    /** Takes a copy of the hosts. */
    public StoreOptions {
        hosts = List.copyOf(hosts);
    }

    /**
     * Reads {@code redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]}, {@code rediss://} for TLS,
     * {@code redis+sentinel://HOST[,HOST…]/MASTER[/DATABASE]} or {@code redis+cluster://HOST[,HOST…]} ({@code valkey} for
     * {@code redis} too). Behind a {@code ?}: {@code prefix=} before every key, {@code ca=}, {@code cert=} and {@code key=}
     * with paths of PEM files, {@code sentinel-user=} and {@code sentinel-password=}. User, password and what stands behind the
     * {@code ?} may be percent-encoded.
     *
     * @throws StoreUrlException where it is none of these, or names a file that cannot be read
     */
    public static StoreOptions parse(String url) {
        return StoreUrl.parse(url);
    }

    /** The URL without user, password and what stands behind the {@code ?}. */
    @Override
    public String toString() {
        String places = hosts.stream().map(Host::toString).collect(Collectors.joining(","));
        String scheme = tls.on() ? "rediss" : "redis";
        return switch (topology) {
            case ONE -> scheme + "://" + places + "/" + database;
            case SENTINEL -> scheme + "+sentinel://" + places + "/" + master;
            case CLUSTER -> scheme + "+cluster://" + places;
        };
    }
}
