package dev.mirror.snapshot.spring;

import dev.mirror.snapshot.OnMiss;
import dev.mirror.snapshot.OnWrite;
import dev.mirror.snapshot.Profile;
import dev.mirror.snapshot.store.StoreClient;
import dev.mirror.snapshot.store.WaitOptions;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.boot.context.properties.bind.Name;
import org.springframework.util.unit.DataSize;

/**
 * How a service takes part, from {@code mirror.snapshot}.
 *
 * @param enabled Whether there are snapshots at all. Without them every read and write is done as if this library were not
 *     there.
 * @param profile The part that this service plays. Unless set it follows from the active Spring profiles, "production" or
 *     "mirror"; with neither it is off.
 * @param store Where snapshots are kept, as redis://HOST:6379; also rediss://, redis+sentinel:// and redis+cluster://.
 * @param client The library that talks to the store. The service must have it.
 * @param rules How a request is named, in order; the same rules as the agent's.
 * @param timeToLive How long a snapshot lives, and what a mirror files of a request.
 * @param maxDocument The largest snapshot that is filed. Larger ones are counted.
 * @param maxBody How much of a request's body is read for a rule. Of a longer one the rule reads nothing.
 * @param queue How much may wait for the store.
 * @param onMiss What the mirror does with a read that no snapshot answers: status 503, a bean of type SnapshotFallback, or the
 *     mirror's own database.
 * @param onWrite What the mirror does with a write, which it never does: answer as production was answered, or refuse.
 * @param waits How the mirror waits for a snapshot.
 * @param responseHeader The response header that tells the request's id; empty for none.
 * @param mdcKey The key under which the request's id stands in the logging context; empty for none.
 * @param peer Whether the address of the connection's other end goes into snapshots. Unless set it does if the server itself
 *     does not replace that address by a forwarded one.
 * @param guard What keeps other clients from writing in the mirror.
 */
@ConfigurationProperties("mirror.snapshot")
public record SnapshotProperties(
        @DefaultValue("true") boolean enabled,
        @Nullable Profile profile,
        @Nullable String store,
        @DefaultValue("auto") StoreClient client,
        @DefaultValue List<String> rules,
        @DefaultValue("5m") Duration timeToLive,
        @DefaultValue("1MB") DataSize maxDocument,
        @DefaultValue("1MB") DataSize maxBody,
        @DefaultValue Queue queue,
        @DefaultValue("error") OnMiss onMiss,
        @DefaultValue("record") OnWrite onWrite,
        @Name("wait") @DefaultValue Waits waits,
        @DefaultValue("x-mirror-request-id") String responseHeader,
        @DefaultValue("mirrorRequestId") String mdcKey,
        @DefaultValue("auto") Peer peer,
        @DefaultValue Guard guard) {

    /**
     * How much may wait for the store. What is more is dropped and counted.
     *
     * @param documents Snapshots, in a mirror effects, that may wait.
     * @param size Heap that they, and what is being recorded, may take.
     */
    public record Queue(@DefaultValue("1024") int documents, @DefaultValue("64MB") DataSize size) {}

    /**
     * How the mirror waits for a snapshot.
     *
     * @param timeout How long the mirror waits for a request's snapshot.
     * @param poll The time between two looks.
     * @param tries Looks that may fail in a row before the store counts as unavailable.
     */
    public record Waits(
            @DefaultValue("2s") Duration timeout, @DefaultValue("100ms") Duration poll, @DefaultValue("3") int tries) {
        WaitOptions options() {
            return new WaitOptions(timeout, poll, tries);
        }
    }

    /**
     * What keeps other clients from writing in the mirror.
     *
     * @param jdbc What becomes of writes over a DataSource in the mirror: refuse fails them, record answers as if they had been
     *     done, off lets them be done. Scripts and migrations at the start are writes too: with refuse the mirror needs a
     *     schema that is there already and spring.sql.init.mode=never.
     */
    public record Guard(@DefaultValue("refuse") Writes jdbc) {}

    /** What becomes of a write in the mirror. */
    public enum Writes {
        /** It fails. */
        REFUSE,
        /** It is answered as if it had been done. */
        RECORD,
        /** It is done. */
        OFF
    }

    /** Whether the other end's address can be told. */
    public enum Peer {
        /** Unless the server itself replaces it. */
        AUTO,
        /** Yes: no proxy on this host stands between. */
        TRUE,
        /** No. */
        FALSE
    }

    /** Shows no address, which may hold a password. */
    @Override
    public String toString() {
        return "mirror.snapshot of profile " + profile + " with " + rules.size() + " rules";
    }
}
