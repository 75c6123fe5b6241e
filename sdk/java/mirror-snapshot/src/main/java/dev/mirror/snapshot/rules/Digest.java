package dev.mirror.snapshot.rules;

import com.dynatrace.hash4j.hashing.Hashing;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** What becomes of a template's text. */
enum Digest {
    MD5("MD5"),
    SHA256("SHA-256"),
    XXH3(null),
    NONE(null);

    private static final HexFormat HEX = HexFormat.of();

    /** Of {@link MessageDigest}. */
    private final @Nullable String algorithm;

    Digest(@Nullable String algorithm) {
        this.algorithm = algorithm;
    }

    static Digest named(String name) throws NotUnderstood {
        Digest digest = switch (name) {
            case "md5" -> MD5;
            case "sha256" -> SHA256;
            case "xxh3" -> XXH3;
            case "none" -> NONE;
            default -> throw new NotUnderstood("`" + name + "` is no digest");
        };
        // Some JVMs are stripped of MD5, and a request is too late to find out.
        if (digest.algorithm != null) {
            try {
                MessageDigest.getInstance(digest.algorithm);
            } catch (NoSuchAlgorithmException none) {
                throw new NotUnderstood("this JVM has no " + digest.algorithm + ": take another digest, in the agent too");
            }
        }
        return digest;
    }

    /** In lower-case hex; of text as UTF-8. */
    String of(String text) {
        return switch (this) {
            case NONE -> text;
            case XXH3 -> HEX.toHexDigits(Hashing.xxh3_64().hashBytesToLong(text.getBytes(StandardCharsets.UTF_8)));
            case MD5, SHA256 -> HEX.formatHex(start(Objects.requireNonNull(algorithm)).digest(text.getBytes(StandardCharsets.UTF_8)));
        };
    }

    private static MessageDigest start(String algorithm) {
        try {
            return MessageDigest.getInstance(algorithm);
        } catch (NoSuchAlgorithmException none) {
            throw new IllegalStateException("this JVM had " + algorithm + " when the rules were parsed", none);
        }
    }
}
