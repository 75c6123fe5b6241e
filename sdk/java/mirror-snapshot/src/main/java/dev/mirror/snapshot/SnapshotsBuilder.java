package dev.mirror.snapshot;

import dev.mirror.snapshot.document.ValueCodec;
import dev.mirror.snapshot.rules.IdRules;
import dev.mirror.snapshot.store.SnapshotStore;
import dev.mirror.snapshot.store.StoreClient;
import dev.mirror.snapshot.store.StoreOptions;
import dev.mirror.snapshot.store.Stores;
import dev.mirror.snapshot.store.WaitOptions;
import java.time.Duration;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** How a service takes part. */
public final class SnapshotsBuilder {
    private static final Logger LOG = LoggerFactory.getLogger(Snapshots.class);

    final Profile profile;
    private List<String> rules = List.of();
    private @Nullable String url;
    private StoreClient client = StoreClient.AUTO;
    private @Nullable SnapshotStore store;
    String prefix = "";
    Duration timeToLive = Duration.ofMinutes(5);
    int mostBytes = 1 << 20;
    int queueDocuments = 1024;
    long queueBytes = 64L << 20;
    WaitOptions wait = WaitOptions.DEFAULT;
    OnMiss onMiss = OnMiss.ERROR;
    OnWrite onWrite = OnWrite.RECORD;
    ValueCodec codec = new ValueCodec();
    @Nullable SnapshotFallback fallback;
    BooleanSupplier nonBlocking = () -> false;
    private @Nullable String refused;

    SnapshotsBuilder(Profile profile) {
        this.profile = profile;
    }

    /** The rules by which agent and service name a request, in order. */
    public SnapshotsBuilder rules(List<String> rules) {
        this.rules = List.copyOf(rules);
        return this;
    }

    /** Where snapshots are kept: {@code redis://HOST}, as {@link StoreOptions} reads it. */
    public SnapshotsBuilder store(String url) {
        this.url = url;
        return this;
    }

    /** Which client talks to the store; whichever is there unless told. */
    public SnapshotsBuilder client(StoreClient client) {
        this.client = client;
        return this;
    }

    /** A store of the service's own, with what stands before each key. */
    public SnapshotsBuilder store(SnapshotStore store, String prefix) {
        this.store = store;
        this.prefix = prefix;
        return this;
    }

    /** How long a snapshot lives, and what a mirror files of a request; 5 minutes unless told. */
    public SnapshotsBuilder timeToLive(Duration timeToLive) {
        this.timeToLive = timeToLive;
        return this;
    }

    /** The largest document that is filed, in bytes; 1 MiB unless told. */
    public SnapshotsBuilder mostBytes(int mostBytes) {
        this.mostBytes = mostBytes;
        return this;
    }

    /** How much may wait for the store; 1,024 documents and 64 MiB unless told. What is more is dropped and counted. */
    public SnapshotsBuilder queue(int documents, long bytes) {
        this.queueDocuments = documents;
        this.queueBytes = bytes;
        return this;
    }

    /** How long the mirror waits for a snapshot. */
    public SnapshotsBuilder wait(WaitOptions wait) {
        this.wait = wait;
        return this;
    }

    /** What the mirror does with a read that no snapshot answers; an error unless told. */
    public SnapshotsBuilder onMiss(OnMiss onMiss) {
        this.onMiss = onMiss;
        return this;
    }

    /** Answers such reads. */
    public SnapshotsBuilder fallback(SnapshotFallback fallback) {
        this.fallback = fallback;
        this.onMiss = OnMiss.FALLBACK;
        return this;
    }

    /** What the mirror does with a write; answered as in production unless told. */
    public SnapshotsBuilder onWrite(OnWrite onWrite) {
        this.onWrite = onWrite;
        return this;
    }

    /** Tells threads that must not wait, as an event loop's: there a read that would have to wait fails instead. */
    public SnapshotsBuilder nonBlocking(BooleanSupplier nonBlocking) {
        this.nonBlocking = nonBlocking;
        return this;
    }

    /** What was set cannot be understood, and why: {@link #build()} fails with it. */
    public SnapshotsBuilder refuse(String why) {
        this.refused = why;
        return this;
    }

    /** How values are written as JSON. */
    public SnapshotsBuilder codec(ValueCodec codec) {
        this.codec = codec;
        return this;
    }

    /**
     * Connects in the background: a store that is not there delays nothing.
     *
     * @throws IllegalArgumentException where a rule or the store's address cannot be understood, or something is missing;
     *     its message says what to write
     */
    public Snapshots build() {
        if (profile == Profile.OFF) {
            return new Snapshots(this, IdRules.parse(List.of()), null, null, null);
        }
        if (refused != null) {
            throw new IllegalArgumentException(refused);
        }
        IdRules parsed = IdRules.parse(rules);
        if (profile == Profile.PRODUCTION && rules.isEmpty()) {
            throw new IllegalArgumentException("no rule names a request: give at least one, as `header:x-request-id`, the same as the agent's");
        }
        if (onMiss == OnMiss.FALLBACK && fallback == null) {
            throw new IllegalArgumentException("a miss is to be answered by a fallback, and there is none: give a SnapshotFallback");
        }
        if (store != null) {
            return new Snapshots(this, parsed, null, store, null);
        }
        if (url == null) {
            throw new IllegalArgumentException("no store is named: give its address, as redis://HOST:6379");
        }
        StoreOptions options = StoreOptions.parse(url);
        return new Snapshots(this, parsed, options, Stores.open(options, client), null);
    }

    /**
     * Like {@link #build()}, but what cannot be understood takes only this part away from the service and not the service:
     * production records nothing, a mirror answers no read; each request is counted, and the log says what to do.
     */
    public Snapshots buildOrExplain() {
        try {
            return build();
        } catch (IllegalArgumentException | IllegalStateException wrong) {
            LOG.error("snapshots are not recorded or served: {}", wrong.getMessage());
            return new Snapshots(this, IdRules.parse(List.of()), null, null, wrong.getMessage());
        }
    }
}
