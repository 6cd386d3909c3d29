"""Radiomics: a lesion's intensity, shape and texture as a vector with IBSI names.

Families: morph (shape), loc (1 mL peaks), stat (intensity), ih (grey-level histogram), cm (co-occurrence), rlm (run
length), szm (size zone), ngl (dependence; "GLDM" in PyRadiomics), ngt (tone difference). A name is the tag of the IBSI
1 reference tables, less the aggregation suffix, which the card holds. ``pyradiomics_names`` says feature by feature
where PyRadiomics agrees and where it does not.

NaN policy: a feature that is not defined for a region (the skewness of a constant, the correlation of one grey level)
is NaN and listed in ``RadiomicsVector.undefined``; no convention's figure is put in its place, nothing is imputed.

Example
-------
>>> vector = encode_radiomics(series, segment)  # doctest: +SKIP
>>> vector["morph_sphericity"], vector.undefined, vector.card.version_hash  # doctest: +SKIP
"""

from encoders.radiomics.encode import RadiomicsVector, encode_radiomics, radiomics
from encoders.radiomics.settings import SETTINGS_BY_UNIT, Aggregation, RadiomicsCard, RadiomicsSettings

__all__ = [
    "SETTINGS_BY_UNIT",
    "Aggregation",
    "RadiomicsCard",
    "RadiomicsSettings",
    "RadiomicsVector",
    "encode_radiomics",
    "radiomics",
]
