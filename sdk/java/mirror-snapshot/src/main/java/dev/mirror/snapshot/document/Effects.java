package dev.mirror.snapshot.document;

import org.jspecify.annotations.Nullable;

/**
 * What a replayed request read and would have written, in its order, as the mirror files it. The document is bounded: the first
 * effect that does not fit is left out, and so are all after it. For one thread at a time.
 */
public final class Effects {
    /** The largest document, in bytes. */
    public static final int LARGEST = 256 << 10;
    private static final String BEGINNING = "{\"mirror\":1,\"effects\":[";
    /** Of what stands after the effects, with the longest number. */
    private static final int END = "],\"dropped\":}".length() + 10;

    private final JsonWriter effects = new JsonWriter(256);
    private int dropped;

    /** The request asked for this, whether it was answered or not. */
    public void read(String name, String key) {
        add(new JsonWriter(64 + name.length() + key.length()).text("{\"read\":").string(name).text(",\"key\":").string(key).text("}"));
    }

    /**
     * The request would have written this.
     *
     * @param written null where it is not known
     */
    public void write(String name, String key, @Nullable Written written) {
        int size = 64 + name.length() + key.length() + (written == null ? 0 : written.size());
        add(new JsonWriter(size).text("{\"write\":").string(name).text(",\"key\":").string(key).written(written).text("}"));
    }

    private void add(JsonWriter effect) {
        if (dropped > 0 || BEGINNING.length() + effects.size() + 1 + effect.size() + END > LARGEST) {
            dropped++;
            return;
        }
        effects.text(effects.size() == 0 ? "" : ",").writeBytes(effect.toByteArray());
    }

    /** How many were left out. */
    public int dropped() {
        return dropped;
    }

    /** Bytes that they take by now. */
    public int size() {
        return effects.size();
    }

    /** As it stands in the store. */
    public byte[] bytes() {
        JsonWriter out = new JsonWriter(BEGINNING.length() + effects.size() + END).text(BEGINNING);
        out.writeBytes(effects.toByteArray());
        out.text("]");
        if (dropped > 0) {
            out.text(",\"dropped\":").text(Integer.toString(dropped));
        }
        return out.text("}").toByteArray();
    }
}
