package dev.mirror.snapshot.spring;

import dev.mirror.snapshot.Profile;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.bind.BindException;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.core.env.Environment;
import org.springframework.core.env.Profiles;

/**
 * The part that a service plays, as its properties and Spring profiles say.
 *
 * @param profile the part
 * @param wrong why it cannot be told, or null. Then it counts as production's, which is left alone
 */
record Part(Profile profile, @Nullable String wrong) {
    static Part of(Environment environment) {
        if (!environment.getProperty("mirror.snapshot.enabled", Boolean.class, true)) {
            return new Part(Profile.OFF, null);
        }
        try {
            return Binder.get(environment).bind("mirror.snapshot.profile", Profile.class)
                    .map(told -> new Part(told, null)).orElseGet(() -> byProfiles(environment));
        } catch (BindException unknown) {
            return new Part(Profile.PRODUCTION, "mirror.snapshot.profile is none of production, mirror and off");
        }
    }

    private static Part byProfiles(Environment environment) {
        boolean production = environment.acceptsProfiles(Profiles.of("production"));
        boolean mirror = environment.acceptsProfiles(Profiles.of("mirror"));
        if (production && mirror) {
            return new Part(Profile.PRODUCTION, "the Spring profiles production and mirror are both active: leave one of them out,"
                    + " or say which part this service plays with mirror.snapshot.profile");
        }
        return new Part(mirror ? Profile.MIRROR : production ? Profile.PRODUCTION : Profile.OFF, null);
    }
}
