//! Options that take one of a few words.

use clap::ValueEnum;

pub fn variant<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, false).map_err(|_| format!("use one of {}", variants::<T>().join(", ")))
}

pub fn variants<T: ValueEnum>() -> Vec<String> {
    let names = T::value_variants().iter();
    names
        .filter_map(|value| Some(value.to_possible_value()?.get_name().to_owned()))
        .collect()
}
