package dev.mirror.snapshot.rules;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;

/** The contract's test vectors, which another implementation made. */
public final class Vectors {
    private static final Path FOLDER = Path.of("..", "..", "..", "mirror-contract", "vectors");

    private Vectors() {}

    public static JsonNode read(String file) throws IOException {
        return new ObjectMapper().readTree(FOLDER.resolve(file).toFile());
    }
}
